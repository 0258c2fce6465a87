//! Requests drawn from a seed, put to both CAs on configurations drawn from it: the answers are the same, or a rule of
//! `docs/divergences.md` says which one stepless gives.
//!
//! `STEPLESS_PROPERTY_SEED` and `STEPLESS_PROPERTY_PAIRS` choose which and how many; `STEPLESS_PROPERTY_ONLY` plays one
//! pair of a seed again.

mod base;
mod csr;
mod der;
mod faults;
mod faults_body;
mod faults_csr;
mod faults_token;
mod keys;
mod members;
mod oracle;
mod pair;
#[path = "../../template_diff/random.rs"]
mod random;
mod sequel;
mod site;
mod templates;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::common::ca::step_ca_available;
use crate::common::tools::skip;
use crate::common::tools::variable;
use site::Site;
use trial::Trial;

/// Which are drawn, if the environment does not say.
const SEED: u64 = 20_261_124;

/// Pairs of a run, if the environment does not say.
const PAIRS: u64 = 2_400;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many pairs ended at which stage of step-ca, by status.
    stages: BTreeMap<String, usize>,
    /// How many certificates were renewed and revoked.
    sequels: usize,
    /// How many pairs showed a rule.
    rules: BTreeMap<&'static str, usize>,
    complaints: Vec<String>,
}

#[test]
fn drawn_requests_get_the_answers_of_step_ca() {
    if let Err(reason) = step_ca_available() {
        return skip(&reason);
    }
    let number = |name: &str| {
        variable(name).map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}: {text}")))
    };
    // The same each time: what new draws find must not fail a change that has nothing to do with it.
    let seed = number("STEPLESS_PROPERTY_SEED").unwrap_or(SEED);
    let only = number("STEPLESS_PROPERTY_ONLY");
    let pairs = number("STEPLESS_PROPERTY_PAIRS").unwrap_or(PAIRS);
    tell(&format!("drawn requests: {pairs} pairs, STEPLESS_PROPERTY_SEED={seed}"));

    let begun = Instant::now();
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).clamp(2, site::COUNT) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= site::COUNT {
                        break;
                    }
                    let count = u64::try_from(site::COUNT).unwrap();
                    let first = u64::try_from(number).unwrap();
                    let indices: Vec<u64> = match only {
                        Some(only) if only % count == first => vec![only],
                        Some(_) => continue,
                        None => (first..pairs).step_by(site::COUNT).collect(),
                    };
                    let site = Site::draw(seed, number);
                    Trial::start(&site, seed).play(&indices, &tally);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    tell(&format!("drawn requests: {:?} in {:.1} s", tally.stages, begun.elapsed().as_secs_f32()));
    tell(&format!("drawn requests: {} certificates renewed and revoked", tally.sequels));
    tell(&format!("drawn requests: rules shown: {:?}", tally.rules));
    let count = tally.complaints.len();
    assert!(count == 0, "{count} complaints (seed {seed}):\n{}", tally.complaints.join("\n"));
    if only.is_none() && pairs >= 1_000 {
        assert_varied(&tally);
    }
}

/// A generator that has everything refused, or issued, tests nothing.
fn assert_varied(tally: &Tally) {
    let all: usize = tally.stages.values().sum();
    let issued = tally.stages.get("Issued 201").copied().unwrap_or_default();
    assert!((all / 4..all * 3 / 4).contains(&issued), "{issued} of {all} issued");
    for stage in
        ["Json 400", "Signature 400", "Token 401", "Names 403", "Template 400", "Validity 403", "Policy 403"]
    {
        assert!(tally.stages.contains_key(stage), "none at {stage}: {:?}", tally.stages);
    }
    // Those that a run this long meets a dozen times or more.
    for rule in ["D1", "D2", "D5", "D6", "D7", "D9", "D12", "D15", "D16", "D18", "T7"] {
        assert!(tally.rules.contains_key(rule), "none shows {rule}: {:?}", tally.rules);
    }
}

/// Says something past the test runner's capture.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A recorded request with the claims of its token.
struct Recording {
    pem: String,
    claims: Value,
    rule: Option<String>,
}

/// The recorded requests for keys of all kinds, and in all forms.
fn recordings() -> &'static [Recording] {
    static RECORDINGS: OnceLock<Vec<Recording>> = OnceLock::new();
    RECORDINGS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/exchanges");
        let mut files: Vec<_> = ["csr-key", "csr-extension", "csr-format"]
            .into_iter()
            .flat_map(|area| fs::read_dir(root.join(area)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files.iter().filter_map(|path| recording(&fs::read_to_string(path).unwrap())).collect()
    })
}

fn recording(text: &str) -> Option<Recording> {
    let exchange: Value = serde_json::from_str(text).unwrap();
    let body = &exchange["request"]["body"];
    let claims = URL_SAFE_NO_PAD.decode(body["ott"].as_str()?.split('.').nth(1)?).ok()?;
    Some(Recording {
        pem: body["csr"].as_str()?.to_owned(),
        claims: serde_json::from_slice(&claims).ok()?,
        rule: exchange["stricter"]["rule"].as_str().map(str::to_owned),
    })
}
