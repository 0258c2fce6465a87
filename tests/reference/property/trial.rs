//! One configuration served by both CAs, and the pairs put to them.

use std::sync::Mutex;

use super::Tally;
use super::base;
use super::faults;
use super::oracle;
use super::oracle::Rule;
use super::oracle::Stage;
use super::pair::Before;
use super::pair::Pair;
use super::pair::Rendered;
use super::random::Random;
use super::sequel;
use super::site::Site;
use crate::cases::Case;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::certificate::Profile;
use crate::common::https::Answer;
use crate::common::https::Client;
use crate::common::https::Failure;
use crate::common::https::Request;
use crate::common::token;
use crate::compare;

/// A complaint that a passing second caused does not come again.
const ATTEMPTS: u32 = 3;

/// Header by which a line of the log is found again.
const REQUEST_ID: &str = "X-Request-Id";

type Outcome = Result<Answer, Failure>;

/// Both CAs on one configuration.
pub(crate) struct Trial<'a> {
    site: &'a Site,
    seed: u64,
    cas: [Ca; 2],
    clients: [Client; 2],
}

/// One attempt at a pair.
struct Seen<'a> {
    pair: Pair<'a>,
    rendered: Rendered,
    id: String,
    rules: Vec<Rule>,
    /// step-ca's answer, or its answer to a token that is not used yet, where rules demand that.
    left: Outcome,
    right: Outcome,
    /// The rule by which the answers differ.
    shown: Option<&'static str>,
    /// Whether the certificates were renewed and revoked as well.
    sequel: bool,
    complaints: Vec<String>,
}

impl<'a> Trial<'a> {
    /// Starts both.
    pub(crate) fn start(site: &'a Site, seed: u64) -> Self {
        let cas = [Kind::StepCa, Kind::Stepless].map(|kind| {
            Ca::try_start(kind, site.directory()).unwrap_or_else(|said| {
                panic!("seed {seed}: {kind:?} does not start on {}: {said}", site.label)
            })
        });
        let clients = [cas[0].client(), cas[1].client()];
        Self { site, seed, cas, clients }
    }

    /// Puts the pairs to both.
    pub(crate) fn play(&self, indices: &[u64], tally: &Mutex<Tally>) {
        for index in indices {
            let faults = self.faults(*index);
            let mut seen = self.attempt(*index, &faults, 0);
            for attempt in 1..ATTEMPTS {
                if seen.complaints.is_empty() {
                    break;
                }
                seen = self.attempt(*index, &faults, attempt);
            }
            let mut tally = tally.lock().unwrap();
            let end = seen.left.as_ref().map_or_else(
                |failure| format!("{failure:?}"),
                |answer| format!("{:?} {}", Stage::of(answer), answer.status),
            );
            *tally.stages.entry(end).or_default() += 1;
            tally.sequels += usize::from(seen.sequel);
            if let Some(rule) = seen.shown {
                *tally.rules.entry(rule).or_default() += 1;
            }
            if !seen.complaints.is_empty() {
                tally.complaints.push(self.explain(*index, &faults, seen));
            }
        }
    }

    /// The faults of a pair, with a seed each: none, or up to three.
    fn faults(&self, index: u64) -> Vec<(usize, u64)> {
        let mut random = Random::new(self.seed.wrapping_mul(0x9e37).wrapping_add(index) ^ 0xfa17);
        let count = random.pick(&[0, 0, 0, 1, 1, 1, 1, 2, 3]);
        let all = faults::all().len();
        (0..count).map(|_| (random.below(all), random.next())).collect()
    }

    fn attempt(&self, index: u64, faults: &[(usize, u64)], attempt: u32) -> Seen<'a> {
        let all = faults::all();
        let mut random = Random::new(self.seed.wrapping_mul(0x51ed).wrapping_add(index));
        let mut pair = base::draw(self.site, token::now(), &mut random);
        for (fault, seed) in faults {
            (all[*fault].1)(&mut pair, &mut Random::new(*seed));
        }
        let id = format!("p-{}-{index}-{attempt}", random.next());
        let rendered = pair.render();
        if let Some(earlier) = earlier(&pair, &rendered, &mut random) {
            let request = with_id(earlier, &format!("{id}-before"));
            for client in &self.clients {
                // What matters is what comes of the second request.
                let _ = client.send(&request);
            }
        }
        let request = with_id(rendered.request.clone(), &id);
        let mut left = self.clients[0].send(&request);
        let right = self.clients[1].send(&request);
        let mut laxer = None;
        if let Some((rule, mut twin)) = oracle::twin(&pair) {
            twin.fresh_id(&mut random);
            let answer = self.clients[0].send(&with_id(twin.render().request, &format!("{id}-twin")));
            if !compare::differences(&left, &answer, &case()).is_empty() {
                laxer = Some(rule);
            }
            left = answer;
        }
        let rules = oracle::rules(&pair);
        let (mut shown, mut complaints) = judge(&left, &right, &rules);
        let mut sequel = false;
        if let (Ok(left), Ok(right)) = (&left, &right)
            && complaints.is_empty()
            && [left.status, right.status] == [201, 201]
            && pair.recorded.is_none()
            && random.one_in(4)
        {
            sequel = true;
            for step in sequel::steps(&pair, [left, right], &mut random) {
                let id = format!("{id}-sequel");
                let [left, right] = step.requests.map(|request| with_id(request, &id));
                let left = self.clients[0].send(&left);
                let right = self.clients[1].send(&right);
                let (by_rule, lines) = judge(&left, &right, &step.rules);
                shown = shown.or(by_rule);
                complaints.extend(lines.iter().map(|line| format!("{}: {line}", step.name)));
            }
        }
        Seen { pair, rendered, id, rules, left, right, shown: shown.or(laxer), sequel, complaints }
    }

    /// All that it takes to understand a complaint, after leaving out the faults that it does without.
    fn explain(&self, index: u64, faults: &[(usize, u64)], seen: Seen<'a>) -> String {
        let (mut faults, mut seen) = (faults.to_vec(), seen);
        let mut attempt = ATTEMPTS;
        let mut at = 0;
        while at < faults.len() {
            let mut fewer = faults.clone();
            fewer.remove(at);
            attempt += 1;
            let again = self.attempt(index, &fewer, attempt);
            if again.complaints.is_empty() {
                at += 1;
            } else {
                (faults, seen) = (fewer, again);
            }
        }
        let all = faults::all();
        let names: Vec<&str> = faults.iter().map(|(fault, _)| all[*fault].0).collect();
        let provisioner = &seen.pair.provisioner;
        let lines = self.cas.each_ref().map(|ca| {
            let log = ca.log();
            let line = log.lines().find(|line| line.contains(&seen.id) && line.contains("rror"));
            let line = line.or_else(|| log.lines().find(|line| line.contains(&seen.id)));
            line.unwrap_or_default().chars().take(900).collect::<String>()
        });
        format!(
            "\nSTEPLESS_PROPERTY_SEED={} STEPLESS_PROPERTY_ONLY={index}: configuration {}, {} with {:?} and claims {}, faults {names:?}, before it {:?}\n  \
             rules: {:?}\n  header: {}\n  claims: {}\n  POST {} {}\n  step-ca: {}\n  stepless: {}\n  \
             step-ca's log: {}\n  stepless' log: {}\n  - {}",
            self.seed,
            self.site.label,
            provisioner.name,
            provisioner.template,
            provisioner.claims,
            seen.pair.before,
            seen.rules,
            seen.rendered.header,
            seen.rendered.claims,
            seen.rendered.request.path,
            String::from_utf8_lossy(&seen.rendered.request.body),
            outline(&seen.left),
            outline(&seen.right),
            lines[0],
            lines[1],
            seen.complaints.join("\n  - "),
        )
    }
}

/// What is sent before the pair.
fn earlier(pair: &Pair<'_>, rendered: &Rendered, random: &mut Random) -> Option<Request> {
    let mut earlier = match pair.before {
        Before::Nothing => return None,
        Before::Same => return Some(rendered.request.clone()),
        Before::SameId => base::draw_for(pair.site, pair.provisioner, pair.now, random),
        Before::OtherProvisioner => {
            let others: Vec<_> =
                pair.site.provisioners.iter().filter(|other| other.name != pair.provisioner.name).collect();
            base::draw_for(pair.site, random.pick(&others), pair.now, random)
        }
        Before::Forged => {
            let mut forged = pair.clone();
            forged.token.push(|token| {
                let (rest, signature) = token.rsplit_once('.').unwrap_or_default();
                format!("{rest}.{}", "A".repeat(signature.len()))
            });
            forged
        }
    };
    earlier.jti.clone_from(&pair.jti);
    Some(earlier.render().request)
}

fn with_id(mut request: Request, id: &str) -> Request {
    request.headers.push((REQUEST_ID.to_owned(), id.to_owned()));
    request
}

/// The rule that the answers show, and what is wrong with them.
fn judge(left: &Outcome, right: &Outcome, rules: &[Rule]) -> (Option<&'static str>, Vec<String>) {
    let mut differences = compare::differences(left, right, &case());
    if let (Ok(left), Ok(right)) = (left, right)
        && let (Some(a), Some(b)) = (length(left), length(right))
        && a != b
    {
        differences.push(format!("valid for {a} s against {b} s"));
    }
    let issued = right.as_ref().is_ok_and(|answer| answer.status < 300);
    if differences.is_empty() {
        let broken = rules.iter().filter(|rule| issued && !rule.perhaps);
        return (None, broken.map(|rule| format!("issued in spite of {}", rule.name)).collect());
    }
    // A dropped connection is what step-ca makes of some input that it should refuse (D14): it may come from any stage.
    let stage = left.as_ref().map_or(Stage::Issued, Stage::of);
    if let Ok(right) = right
        && let Some(rule) = rules.iter().find(|rule| {
            let concerned =
                rule.instead_of.is_none_or(|status| left.as_ref().map_or(true, |left| left.status == status));
            let reached = rule.stage <= stage;
            reached && rule.status == right.status && concerned
        })
    {
        return (Some(rule.name), Vec::new());
    }
    (None, differences)
}

fn length(answer: &Answer) -> Option<i64> {
    let json = answer.json();
    let profile = json["crt"].as_str().map(Profile::read)?;
    Some(profile.not_after - profile.not_before)
}

fn outline(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) if answer.status < 300 => {
            format!("{} {:?}", answer.status, answer.json()["crt"].as_str().map(Profile::read))
        }
        Ok(answer) => format!("{} {}", answer.status, answer.text().trim_end()),
        Err(failure) => format!("{failure:?}"),
    }
}

/// What is compared of two answers to a pair.
fn case() -> Case {
    Case {
        name: String::new(),
        fixture: String::new(),
        request: Request::default(),
        identity: None,
        headers: vec!["content-type".to_owned()],
        ignore: Vec::new(),
        recorded: None,
        stricter: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str =
        r#"{"status":403,"message":"The request was forbidden by the certificate authority: x."}"#;
    const POLICY: &str = r#"{"status":403,"message":"The request was forbidden by the certificate authority: dns name \"x\" not allowed"}"#;

    fn check(left: (u16, &str), right: (u16, &str), rules: &[Rule], shown: Option<&str>, complaints: usize) {
        let outcome = |(status, body): (u16, &str)| {
            Ok(Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
        };
        let (found, lines) = judge(&outcome(left), &outcome(right), rules);
        assert_eq!((found, lines.len()), (shown, complaints), "{lines:?}");
    }

    #[test]
    fn a_rule_counts_from_its_stage_on() {
        let rule = Rule { name: "D0", stage: Stage::Template, status: 403, perhaps: false, instead_of: None };
        let (issued, refused, policy, token) = ((201, "{}"), (403, REFUSED), (403, POLICY), (401, "{}"));
        check(issued, issued, &[], None, 0);
        check(issued, refused, &[], None, 1);
        check(refused, issued, &[], None, 1);
        check(issued, refused, &[rule], Some("D0"), 0);
        check(policy, refused, &[rule], Some("D0"), 0);
        check(issued, issued, &[rule], None, 1);
        check(issued, issued, &[Rule { perhaps: true, ..rule }], None, 0);
        // What step-ca refuses earlier, stepless refuses with the same answer.
        check(token, refused, &[rule], None, 1);
        check(token, token, &[rule], None, 0);
        check(issued, token, &[rule], None, 1);
        check(issued, refused, &[Rule { instead_of: Some(500), ..rule }], None, 1);
        check((500, "{}"), refused, &[Rule { instead_of: Some(500), ..rule }], Some("D0"), 0);
    }
}
