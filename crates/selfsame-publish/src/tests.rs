mod folder;
mod outline;
