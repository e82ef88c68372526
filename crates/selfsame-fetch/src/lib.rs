//! Sources and locked inputs: bound from disk, or fetched and checked.
