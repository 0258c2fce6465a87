//! The contexts of the `step` command: several authorities under one `$STEPPATH`.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::init;

/// The folder of an authority: `$STEPPATH`, or below it the one that `contexts.json` gives the context.
pub(super) fn folder(context: Option<&str>) -> Result<PathBuf, Failure> {
    let base = init::step_path()?;
    let Some(context) = context else { return Ok(base) };
    let path = base.join("contexts.json");
    let text = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let contexts: Value = serde_json::from_slice(&text).unwrap_or_default();
    match contexts[context]["authority"].as_str().filter(|name| !name.is_empty()) {
        Some(authority) => Ok(base.join("authorities").join(authority)),
        None => Err(Failure::usage(
            format!("{} has no context {context:?} with an authority", path.display()),
            "see the contexts there are with: step context list",
        )),
    }
}
