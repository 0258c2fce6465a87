//! What stepless must answer where a rule of `docs/divergences.md` applies to what was generated.
//!
//! A rule says at which stage of the request stepless refuses, and with which status. Whatever step-ca refuses at an
//! earlier stage, stepless refuses with the same answer; from that stage on, by the rule.

use serde_json::Value;

use super::keys::Hash;
use super::keys::Kind;
use super::pair::Before;
use super::pair::Pair;
use super::templates::Template;
use crate::common::https::Answer;

/// A rule that applies to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    pub(crate) status: u16,
    /// Whether stepless may still issue: the rule depends on more than is looked at here.
    pub(crate) perhaps: bool,
    /// step-ca's status, where the rule is about that one.
    pub(crate) instead_of: Option<u16>,
}

/// How far a request has come, in step-ca's order (issuing has no stage behind it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Json,
    MissingCsr,
    Signature,
    MissingToken,
    Token,
    Names,
    Template,
    Validity,
    Constraints,
    Policy,
    Issued,
}

impl Stage {
    /// Where an answer comes from.
    pub(crate) fn of(answer: &Answer) -> Self {
        let text = answer.text();
        let tells = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match answer.status {
            201 => Self::Issued,
            401 => Self::Token,
            _ if tells(&["completed: error decoding json", "completed: error reading"]) => Self::Json,
            _ if tells(&["completed: missing csr"]) => Self::MissingCsr,
            _ if tells(&["completed: invalid csr"]) => Self::Signature,
            _ if tells(&["completed: missing ott"]) => Self::MissingToken,
            _ if tells(&["authority: certificate request ", "error decoding fingerprint"]) => Self::Names,
            _ if tells(&["completed: notAfter ", "requested duration of "]) => Self::Validity,
            _ if tells(&["by any constraint", "by constraint"]) => Self::Constraints,
            _ if tells(&["name \\\"", "not allowed"]) && answer.status == 403 => Self::Policy,
            _ => Self::Template,
        }
    }
}

/// The rules that apply to what the generator put in, earliest stage first.
pub(crate) fn rules(pair: &Pair<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    if pair.site.has_policy() {
        // Only if one is a name that the policy cannot read.
        add_instead(&mut rules, "D12", 500, Stage::Template, 403);
        if pair.names().iter().chain([&pair.subject()]).any(|name| name.starts_with('.')) {
            add(&mut rules, "D12", Stage::Policy, 403, true);
        }
    }
    if pair.body.has_twins(BODY) || !pair.tail.trim().is_empty() {
        add(&mut rules, "D16", Stage::Json, 400, false);
    }
    if pair.several_blocks {
        add(&mut rules, "D15", Stage::Json, 400, false);
    }
    if !pair.csr.noise.is_empty() {
        add(&mut rules, "D26", Stage::Json, 400, true);
    }
    if let Some((_, Some(rule))) = &pair.recorded
        && rule == "D11"
    {
        add(&mut rules, "D11", Stage::Json, 400, false);
    }
    if pair.recorded.is_none() && pair.csr.hash == Hash::Sha1 && pair.csr.kind != Kind::Ed25519 {
        add(&mut rules, "D11", Stage::Signature, 400, pair.csr.pss);
    }
    if pair.odd_spelling || !pair.token.is_empty() {
        // step-ca tells of a provisioner that is off before it reads the whole token.
        add(&mut rules, "D6", Stage::Token, 401, !pair.odd_spelling);
    }
    if pair.provisioner.disabled || !pair.provisioner.claims.is_null() {
        // Its claims may not fit those of the authority; both answer 401, with another sentence.
        add_instead(&mut rules, "D6", 401, Stage::Token, 401);
    }
    let registered = pair.provisioner.key["alg"].as_str();
    if registered.is_some_and(|registered| pair.header.value("alg") != registered) {
        // The header may lead to a provisioner that knows better.
        add(&mut rules, "D8", Stage::Token, 401, true);
    }
    if pair.claims.raw("exp").is_none() {
        add(&mut rules, "D9", Stage::Token, 401, false);
    }
    if pair.claims.0.iter().any(|(_, raw)| raw.to_lowercase() == "1e400") {
        add(&mut rules, "D27", Stage::Token, 401, false);
    }
    for end in ["notBefore", "notAfter"] {
        match pair.body.folded(end).as_str() {
            Some("9999-12-31T23:59:59-01:00") => add(&mut rules, "D14", Stage::Json, 400, false),
            Some("9999-12-31T23:59:59Z") => add(&mut rules, "D14", Stage::Template, 400, true),
            _ => {}
        }
    }
    binding(pair, &mut rules);
    if pair.names().iter().chain([&pair.subject()]).any(|name| odd(name)) {
        add(&mut rules, "D12", Stage::Template, 403, true);
    }
    if pair.provisioner.template != Template::Default {
        if pair.names().iter().any(|name| !ordinary(name)) {
            add(&mut rules, "T7", Stage::Template, 403, true);
        }
        if pair.subject().chars().count() > 64 {
            add(&mut rules, "T6", Stage::Template, 403, true);
        }
    }
    if !pair.body.folded("notBefore").is_null() {
        // The certificate may last just as long as `backdate`, which step-ca takes for no time at all.
        add_instead(&mut rules, "D14", 500, Stage::Template, 201);
    }
    template(pair, &mut rules);
    let subject = pair.subject();
    if pair.site.denies("cn").contains(&subject.as_str()) {
        add(&mut rules, "D19", Stage::Policy, 403, true);
    }
    if pair.names().iter().any(|name| name.contains('*')) && !pair.site.denies("dns").is_empty() {
        add(&mut rules, "D25", Stage::Policy, 403, true);
    }
    rules.sort_by_key(|rule| rule.stage);
    rules
}

/// The rules about renewing what both issued to a pair.
pub(crate) fn rules_of_renewal(pair: &Pair<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    // A certificate that lasted as long as `backdate` has no life left for it.
    add_instead(&mut rules, "D14", 500, Stage::Template, 201);
    if !pair.site.database && pair.provisioner.claims["disableSmallstepExtensions"] == true {
        // step-ca has no record of it.
        for status in [201, 401] {
            add_instead(&mut rules, "D13", 401, Stage::Token, status);
        }
    }
    rules
}

/// Where stepless takes what step-ca refuses or overlooks: the rule, and the pair to which step-ca gives the answer
/// that stepless must give to this one.
pub(crate) fn twin<'a>(pair: &Pair<'a>) -> Option<(&'static str, Pair<'a>)> {
    let mut twin = pair.clone();
    // The token's id is taken for used: the twin has another one.
    let mut rule = match pair.before {
        Before::OtherProvisioner => Some("D7"),
        Before::Forged => Some("D5"),
        Before::Nothing | Before::Same | Before::SameId => None,
    };
    // Templates are shown no claims at all: the twin lacks the one that is at fault.
    if pair.claims.raw("unknown") == Some(TWINS_BELOW) && pair.before == Before::Nothing {
        twin.claims.remove("unknown");
        rule = Some("D27");
    }
    rule.map(|rule| (rule, twin))
}

/// A claim in which a member stands twice.
pub(crate) const TWINS_BELOW: &str = r#"{"a":1,"a":2}"#;

fn add(rules: &mut Vec<Rule>, name: &'static str, stage: Stage, status: u16, perhaps: bool) {
    rules.push(Rule { name, stage, status, perhaps, instead_of: None });
}

/// A rule that only shows where step-ca answers with this status.
fn add_instead(rules: &mut Vec<Rule>, name: &'static str, instead_of: u16, stage: Stage, status: u16) {
    rules.push(Rule { name, stage, status, perhaps: true, instead_of: Some(instead_of) });
}

/// D1 and D2.
fn binding(pair: &Pair<'_>, rules: &mut Vec<Rule>) {
    let step = pair.claims.value("step");
    let sha = step.get("sha");
    let bound = match sha {
        None => false,
        Some(Value::Null) => false,
        Some(Value::String(text)) if text.is_empty() => false,
        Some(Value::String(text)) => {
            let right = ["@SHA_HEX@", "@SHA_UPPER@", "@SHA_B64@"].contains(&text.as_str());
            if !right {
                add(rules, "D1", Stage::Names, 403, false);
            }
            right
        }
        Some(_) => {
            add(rules, "D1", Stage::Token, 401, false);
            false
        }
    };
    let cnf = pair.claims.value("cnf")["x5rt#S256"].as_str().is_some_and(|value| !value.is_empty());
    if pair.provisioner.template == Template::Grant && !bound && !cnf {
        add(rules, "D2", Stage::Names, 403, false);
    }
}

/// The rules that depend on the provisioner's template.
fn template(pair: &Pair<'_>, rules: &mut Vec<Rule>) {
    match pair.provisioner.template {
        Template::Grant => {
            let is_uuid = |name: &str| {
                pair.claims.value(name).as_str().is_some_and(|text| {
                    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() && text.matches('-').count() == 4
                })
            };
            if !["mosaic_grant_id", "mosaic_subject_user_id"].into_iter().all(is_uuid) {
                add(rules, "D3", Stage::Template, 403, false);
            }
        }
        Template::Authority if pair.site.issues_leaves_only() => {
            add(rules, "D18", Stage::Template, 403, false)
        }
        Template::NeededClaim if pair.claims.raw("email").is_none() => {
            add(rules, "T1", Stage::Template, 403, false);
        }
        Template::Request if !pair.csr.noise.is_empty() => {
            // Names may have become others, or none.
            for name in ["D17", "T7"] {
                add(rules, name, Stage::Template, 403, true);
            }
        }
        Template::Request if pair.recorded.is_none() && pair.csr.names.is_empty() => {
            let filled = !pair.csr.subject.is_empty() || pair.site.has_default_subject();
            add(rules, "D17", Stage::Template, 403, filled || !pair.csr.extensions.is_empty());
        }
        Template::User if pair.body.raw("templateData").is_some() => {
            add_instead(rules, "D14", 500, Stage::Template, 400);
        }
        _ => {}
    }
}

/// Whether a name has the form that its type is made for, as far as that is easily told.
fn ordinary(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..64).contains(&label.len())
            && label.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
    };
    let is_host = |host: &str| host.split('.').all(is_label);
    if let Some((_, rest)) = name.split_once("://") {
        return is_host(rest.split(['/', ':']).next().unwrap_or_default())
            && !rest.contains([' ', '%', '"', '\\']);
    }
    name.parse::<std::net::IpAddr>().is_ok()
        || is_host(name.strip_prefix("*.").unwrap_or(name))
        || name.split_once('@').is_some_and(|(local, host)| is_label(local) && is_host(host))
}

/// The members of a body that mean something, named in whatever case.
const BODY: &[&str] = &["csr", "ott", "notBefore", "notAfter", "templateData"];

/// Whether a name holds what D12 refuses: what a certificate cannot say, or what no Go program reads in one.
fn odd(name: &str) -> bool {
    let host = name.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let odd_host = |host: &str| host.contains("..") || host.contains('%') || host.ends_with('.');
    name.chars().any(|letter| letter.is_control() || !letter.is_ascii()) || host.is_some_and(odd_host)
}
