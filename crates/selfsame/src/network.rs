//! How this machine reaches others: its environment, its origins, its certificates.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use selfsame_fetch::{FetchProgress, Silent};
use selfsame_http::{Client, Environment, Options, Origins};
use selfsame_registry::{Configuration, Credentials, Registry};

use crate::commands::errors;
use crate::meter::Meter;
use crate::prepare::read_text;
use crate::remote;
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::Settings;
use crate::terminal;

/// What everything that is fetched or pushed goes through.
pub(crate) struct Network {
    /// The variables that this machine's programs find their configuration by.
    pub(crate) environment: Environment,
    /// The client, with the origins and certificates of this machine.
    pub(crate) http: Client,
    /// Is told what comes.
    pub(crate) meter: Option<Meter>,
    /// The registries of this machine, once somebody wanted them.
    registry: OnceCell<Registry>,
}

impl Network {
    /// As this machine is configured. `cancel` ends what is under way.
    pub(crate) fn of(settings: &Settings, cancel: Option<&Arc<AtomicBool>>) -> Answer<Self> {
        let environment = settings.environment();
        let options = Options {
            ca_files: settings.ca.clone(),
            offline: settings.offline,
            origins: origins(settings)?,
            cancel: cancel.map(Arc::clone),
            ..Options::default()
        };
        let http = Client::new(&environment, options)
            .map_err(|error| Report::new(Exit::Unanswered, error.to_string()).hint("look at `--ca`"))?;
        Ok(Self { environment, http, meter: None, registry: OnceCell::new() })
    }

    /// The registries, as this machine's configuration reaches them.
    pub(crate) fn registry(&self) -> Answer<&Registry> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let configuration = Configuration::read(&self.environment, self.http.origins()).map_err(remote::registry)?;
        let credentials = Credentials::read(&self.environment).map_err(remote::registry)?;
        Ok(self.registry.get_or_init(|| Registry::new(&self.http, configuration, credentials)))
    }

    /// Where what comes is told to.
    pub(crate) fn progress(&self) -> &dyn FetchProgress {
        match &self.meter {
            Some(meter) => meter,
            None => &Silent,
        }
    }
}

/// The machine's origins.toml; nothing is configured where there is none, unless it was named.
fn origins(settings: &Settings) -> Answer<Origins> {
    let Some(path) = &settings.origins else { return Ok(Origins::default()) };
    // How one says that nothing is configured.
    if path.file == std::path::Path::new("/dev/null") {
        return Ok(Origins::default());
    }
    match read_text(&path.file)? {
        Some(text) => {
            let folder = path.file.parent().unwrap_or(std::path::Path::new("."));
            let origins = Origins::parse(&text, folder).map_err(|error| errors::text(&path.file, &error))?;
            for (name, meant) in origins.slips() {
                terminal::talk(&format!(
                    "   warning {}: nothing is asked of `[origin.{}]`: {meant}",
                    path.file.display(),
                    printable(name)
                ));
            }
            Ok(origins)
        }
        None if path.named => {
            let fault = format!("there is no `{}`, which SELFSAME_ORIGINS names", path.file.display());
            Err(Report::new(Exit::Unanswered, fault).into())
        }
        None => Ok(Origins::default()),
    }
}
