//! What a client does, and what it must be answered.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use crate::DEADLINE;
use crate::PROVISIONERS;
use crate::STABLE;
use crate::VOLATILE;
use crate::common::csr::Csr;
use crate::common::fixture::Fixture;
use crate::common::https::Answer;
use crate::common::https::Client;
use crate::common::https::Kept;
use crate::common::https::Request;
use crate::common::token;
use crate::dice::Dice;
use crate::listed;
use crate::model::Held;
use crate::model::Model;

/// What an answer says other than it ought to.
type Deed = Result<(), String>;

/// A client.
#[derive(Debug)]
pub(crate) struct Worker<'m> {
    model: &'m Model,
    client: Kept,
    dice: Dice,
    root: String,
    stable: Value,
    volatile: Value,
    /// Another provisioner's key.
    foreign: Value,
}

impl<'m> Worker<'m> {
    pub(crate) fn new(model: &'m Model, fixture: &Fixture, client: Client, dice: Dice) -> Self {
        let mut foreign = fixture.provisioner_key("mosaic-fed");
        let stable = fixture.provisioner_key(STABLE);
        foreign["kid"] = stable["kid"].clone();
        assert_ne!(foreign["d"], stable["d"]);
        let volatile = fixture.provisioner_key(VOLATILE);
        let (client, root) = (Kept::new(client), fixture.root_pem());
        Self { model, client, dice, root, stable, volatile, foreign }
    }

    /// Does one thing after the other.
    pub(crate) fn run_until(&self, end: Instant) {
        while Instant::now() < end && !self.model.stopped() {
            let [kind, second, third, ..] = self.dice.throw();
            let choice = usize::from(u16::from_be_bytes([second, third]));
            if let Err(fault) = self.act(kind, choice) {
                self.model.fault(fault);
            }
        }
    }

    fn act(&self, kind: u8, choice: usize) -> Deed {
        let held = self.model.held(choice);
        match (kind, held) {
            (0..60, _) | (_, None) => self.sign(),
            (60..75, _) => self.sign_side_by_side(),
            (75..90, _) => self.model.spent_one(choice).map_or(Ok(()), |body| self.sign_again(&body)),
            (90..115, _) => self.sign_wrong(choice),
            (115..140, _) => self.sign_volatile(),
            (140..175, Some(held)) => self.renew(&held),
            (175..190, Some(held)) => self.rekey(&held),
            (190..210, Some(held)) => self.revoke(&held),
            (210..215, Some(held)) => self.revoke_own(&held),
            (215..235, _) => self.crl(),
            _ => self.read(),
        }
    }

    /// A fresh token of the provisioner that stays is always good.
    fn sign(&self) -> Deed {
        let (csr, body) = self.request();
        let answer = self.send("sign", &self.client, "/1.0/sign", &body)?;
        check(&answer, 201, "a good token")?;
        self.issued(&answer, Some(&csr))?;
        self.model.spend(body);
        Ok(())
    }

    /// Of two requests with one token, one is granted.
    fn sign_side_by_side(&self) -> Deed {
        let (csr, body) = self.request();
        let send = || self.send("sign twice at once", &self.client, "/1.0/sign", &body);
        let (first, second) = std::thread::scope(|scope| {
            let second = scope.spawn(send);
            (send(), second.join().expect("a request does not panic"))
        });
        let (first, second) = (first?, second?);
        let (granted, refused) = if first.status == 201 { (first, second) } else { (second, first) };
        check(&granted, 201, "one of two with a token")?;
        check(&refused, 401, "the other of two with a token")?;
        self.issued(&granted, Some(&csr))
    }

    pub(crate) fn sign_again(&self, body: &Value) -> Deed {
        let answer = self.send("sign, used token", &self.client, "/sign", body)?;
        check(&answer, 401, "a used token")
    }

    fn sign_wrong(&self, choice: usize) -> Deed {
        let (csr, mut body) = self.request();
        let mut claims = token::claims(STABLE, "a.example");
        let (what, status) = match choice % 5 {
            0 => {
                body["ott"] = token::mint(&self.foreign, &claims).into();
                ("a foreign signature", 401)
            }
            1 => {
                claims["aud"] = "https://localhost/1.0/revoke".into();
                body["ott"] = token::mint(&self.stable, &claims).into();
                ("a token for revoking", 401)
            }
            2 => {
                claims["exp"] = (token::now() - 61).into();
                body["ott"] = token::mint(&self.stable, &claims).into();
                ("an expired token", 401)
            }
            3 => {
                body["csr"] = csr.pem.replace("BEGIN", "BEG1N").into();
                ("no CSR", 400)
            }
            _ => {
                body["csr"] = Csr::new("b.example", &["b.example"]).pem.into();
                ("other names", 403)
            }
        };
        let answer = self.send("sign, wrong", &self.client, "/1.0/sign", &body)?;
        check(&answer, status, what)?;
        match status {
            // It was spent all the same.
            403 => {
                body["csr"] = csr.pem.into();
                self.sign_again(&body)?;
                self.model.spend(body);
                Ok(())
            }
            // It was not looked at.
            400 => {
                body["csr"] = csr.pem.clone().into();
                let answer = self.send("sign", &self.client, "/1.0/sign", &body)?;
                check(&answer, 201, "a token that was not looked at")?;
                self.issued(&answer, Some(&csr))
            }
            _ => Ok(()),
        }
    }

    /// Good while its provisioner is there.
    fn sign_volatile(&self) -> Deed {
        let csr = Csr::new("a.example", &["a.example"]);
        let ott = token::mint(&self.volatile, &token::claims(VOLATILE, "a.example"));
        let before = self.model.volatile();
        let answer =
            self.send("sign, volatile", &self.client, "/1.0/sign", &json!({"csr": csr.pem, "ott": ott}))?;
        let settled = before.present.filter(|_| before == self.model.volatile());
        match (answer.status, settled) {
            (201, Some(true) | None) => self.issued(&answer, None),
            (401, Some(false) | None) => Ok(()),
            _ => Err(wrong(&answer, &format!("provisioner present: {settled:?}"))),
        }
    }

    pub(crate) fn renew(&self, held: &Arc<Held>) -> Deed {
        self.replace(held, || {
            let answer = self.send("renew", &held.client, "/1.0/renew", &Value::Null)?;
            Ok((answer, held.key_pem().to_owned()))
        })
    }

    fn rekey(&self, held: &Arc<Held>) -> Deed {
        self.replace(held, || {
            let csr = Csr::new("", &[]);
            let answer = self.send("rekey", &held.client, "/1.0/rekey", &json!({"csr": csr.pem}))?;
            Ok((answer, csr.key_pem))
        })
    }

    /// A certificate is replaced unless it is revoked. Revoked meanwhile it may be either.
    fn replace(&self, held: &Arc<Held>, send: impl FnOnce() -> Result<(Answer, String), String>) -> Deed {
        let revoked_before = held.revocation_answered.load(SeqCst);
        let (answer, key_pem) = send()?;
        let touched = held.revocations_begun.load(SeqCst) > 0;
        match answer.status {
            201 if !revoked_before => {
                let (new, old) = (parse(&answer)?, Certificate::parse(&held.der));
                let old = old.map_err(|error| error.to_string())?;
                if (new.spki_der() == old.spki_der()) != (key_pem == held.key_pem()) {
                    return Err("the new certificate has the wrong key".to_owned());
                }
                self.model.issued_one(&crt(&answer)?, Some(&key_pem))
            }
            401 if touched => Ok(()),
            _ => Err(wrong(&answer, &format!("{} revoked: {revoked_before}, {touched}", held.serial))),
        }
    }

    /// By a token of a provisioner.
    pub(crate) fn revoke(&self, held: &Arc<Held>) -> Deed {
        let mut claims = token::claims(STABLE, &held.serial);
        claims["aud"] = "https://localhost/1.0/revoke".into();
        let ott = token::mint(&self.stable, &claims);
        let body = json!({"serial": held.serial, "ott": ott, "reasonCode": 4, "passive": true});
        self.revoke_with(held, &self.client, &body)
    }

    /// By its own key.
    fn revoke_own(&self, held: &Arc<Held>) -> Deed {
        let body = json!({"serial": held.serial, "reasonCode": 1, "passive": true});
        self.revoke_with(held, &held.client, &body)
    }

    /// One of all who try is told that it has revoked it, the others that it is revoked.
    fn revoke_with(&self, held: &Arc<Held>, client: &Kept, body: &Value) -> Deed {
        let revoked_before = held.revocation_answered.load(SeqCst);
        held.revocations_begun.fetch_add(1, SeqCst);
        let answer = self.send("revoke", client, "/1.0/revoke", body)?;
        let others = held.revocations_begun.load(SeqCst) > 1;
        match answer.status {
            200 if !revoked_before => {
                if held.revocations.fetch_add(1, SeqCst) > 0 {
                    return Err(format!("{} was revoked twice", held.serial));
                }
                self.model.revoked_one(held);
                Ok(())
            }
            400 if others && answer.text().contains("is already revoked") => Ok(()),
            _ => Err(wrong(&answer, &format!("{} revoked: {revoked_before}, {others}", held.serial))),
        }
    }

    /// The CRL's number only rises, and it has everything that somebody was told to be revoked.
    pub(crate) fn crl(&self) -> Deed {
        let (number_before, revoked) = (self.model.crl_number(), self.model.revoked());
        let answer = self.get("crl", "/crl")?;
        check(&answer, 200, "the CRL")?;
        let list: CertificateList =
            CertificateList::from_der(&answer.body).map_err(|error| error.to_string())?;
        let extensions = list.tbs_cert_list.crl_extensions.unwrap_or_default();
        let number = extensions.iter().find(|extension| extension.extn_id.to_string() == "2.5.29.20");
        // A DER INTEGER: tag, length, value.
        let number = number.ok_or("a CRL without number")?.extn_value.as_bytes();
        let number = number[2..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if number < number_before {
            return Err(format!("CRL {number} after {number_before}"));
        }
        self.model.crl_seen(number);
        let entries = list.tbs_cert_list.revoked_certificates.unwrap_or_default();
        let mut serials: Vec<&[u8]> = entries.iter().map(|entry| entry.serial_number.as_bytes()).collect();
        serials.sort_unstable();
        if serials.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("CRL {number} has a certificate twice"));
        }
        for held in revoked {
            if serials.binary_search(&held.serial_bytes.as_slice()).is_err() {
                return Err(format!("CRL {number} lacks {}", held.serial));
            }
        }
        Ok(())
    }

    fn read(&self) -> Deed {
        check(&self.get("health", "/health")?, 200, "health")?;
        let roots = self.get("roots", "/1.0/roots")?;
        check(&roots, 201, "roots")?;
        if roots.json() != json!({"crts": [self.root]}) {
            return Err(wrong(&roots, "the root"));
        }
        let before = self.model.volatile();
        let present = listed(&self.get("provisioners", PROVISIONERS)?)?;
        match before.present.filter(|_| before == self.model.volatile()) {
            Some(expected) if expected != present => Err(format!("{VOLATILE} is listed: {present}")),
            _ => Ok(()),
        }
    }

    /// A good request with its CSR.
    fn request(&self) -> (Csr, Value) {
        let csr = Csr::new("a.example", &["a.example"]);
        let ott = token::mint(&self.stable, &token::claims(STABLE, "a.example"));
        let body = json!({"csr": csr.pem, "ott": ott});
        (csr, body)
    }

    /// The certificate is for the key of the request; it is kept if the request is given.
    fn issued(&self, answer: &Answer, csr: Option<&Csr>) -> Deed {
        if let Some(csr) = csr {
            let key = x509_cert::request::CertReq::from_der(&csr.der).map_err(|error| error.to_string())?;
            let key =
                x509_cert::der::Encode::to_der(&key.info.public_key).map_err(|error| error.to_string())?;
            if parse(answer)?.spki_der() != key {
                return Err("a certificate for somebody else's key".to_owned());
            }
        }
        self.model.issued_one(&crt(answer)?, csr.map(|csr| csr.key_pem.as_str()))
    }

    fn get(&self, kind: &'static str, path: &str) -> Result<Answer, String> {
        self.exchange(kind, &self.client, &Request::get(path))
    }

    fn send(&self, kind: &'static str, client: &Kept, path: &str, body: &Value) -> Result<Answer, String> {
        self.exchange(kind, client, &Request::post(path, body))
    }

    fn exchange(&self, kind: &'static str, client: &Kept, request: &Request) -> Result<Answer, String> {
        let begun = Instant::now();
        // Some begin with a handshake, on a session that is resumed or new.
        let apart = self.dice.throw()[0].is_multiple_of(4);
        let answer = if apart { client.send_apart(request) } else { client.send(request) };
        let took = begun.elapsed();
        let answer = answer
            .map_err(|failure| format!("{kind}: {failure:?} after {took:?}, connection kept: {}", !apart))?;
        self.model.took(kind, answer.status, took);
        if took > DEADLINE { Err(format!("{kind}: {took:?}")) } else { Ok(answer) }
    }
}

fn check(answer: &Answer, status: u16, what: &str) -> Deed {
    if answer.status == status { Ok(()) } else { Err(wrong(answer, &format!("{what}, not {status}"))) }
}

fn wrong(answer: &Answer, what: &str) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    format!("{}: {what}: {} ({id})", answer.status, answer.text().trim_end())
}

/// The certificate of an answer, PEM.
fn crt(answer: &Answer) -> Result<String, String> {
    answer.json()["crt"].as_str().map(str::to_owned).ok_or_else(|| wrong(answer, "no certificate"))
}

fn parse(answer: &Answer) -> Result<Certificate, String> {
    let crt = crt(answer)?;
    let block = pem::Blocks::new(crt.as_bytes()).next().ok_or("no PEM")?;
    Certificate::parse(&block.content).map_err(|error| error.to_string())
}
