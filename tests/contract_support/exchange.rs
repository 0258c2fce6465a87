//! A recorded exchange, as its file has it.

use std::path::Path;

use serde_json::Value;

/// Areas in which the two grant provisioners use `claimExtensions` in place of their template.
const CLAIM_EXTENSION_AREAS: [&str; 4] = ["grant", "token-alg", "token-binding", "token-audience"];

/// A request and the answer that step-ca gave, or that stepless gives on purpose.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) fixture: String,
    pub(crate) now: String,
    pub(crate) request: Value,
    pub(crate) client_certificate: Value,
    pub(crate) response: Value,
    pub(crate) stricter: Value,
    pub(crate) ignore: Vec<String>,
    pub(crate) unordered: Vec<String>,
}

impl Exchange {
    /// All exchanges below `folder`.
    pub(crate) fn read_all(folder: &Path) -> Vec<Self> {
        let mut exchanges = Vec::new();
        let areas = std::fs::read_dir(folder.join("exchanges")).into_iter().flatten().flatten();
        for area in areas {
            for file in std::fs::read_dir(area.path()).into_iter().flatten().flatten() {
                if file.path().extension().is_some_and(|e| e == "json") {
                    exchanges.push(Self::read(&file.path()));
                }
            }
        }
        exchanges
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a readable exchange");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let text = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
        let list = |member: &str| -> Vec<String> {
            let items = value[member].as_array().into_iter().flatten().filter_map(Value::as_str);
            items.map(|item| item.trim_start_matches('/').to_owned()).collect()
        };
        Self {
            name: text("name"),
            fixture: text("fixture"),
            now: text("now"),
            request: value["request"].clone(),
            client_certificate: value["clientCertificate"].clone(),
            response: value["response"].clone(),
            stricter: value["stricter"].clone(),
            ignore: list("ignore"),
            unordered: list("unordered"),
        }
    }

    pub(crate) fn area(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Whether the grant provisioners get `claimExtensions` for it.
    pub(crate) fn wants_claim_extensions(&self) -> bool {
        self.fixture == "mosaic" && CLAIM_EXTENSION_AREAS.contains(&self.area())
    }
}
