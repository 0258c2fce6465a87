//! Certificates that go on: renewed, rekeyed, in the background, after their end.

use std::process::Child;
use std::process::Stdio;

use serde_json::Value;

use crate::common::ca::Kind;
use crate::common::certificate::Profile;
use crate::common::https::Request;
use crate::setting::Setting;
use crate::setting::wait;

pub(crate) fn renew(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    setting.certificate("plain", "a", "");
    let mut seen = vec![setting.serial("a.crt")];
    // By client certificate, which is the default, and by a token that stands for it.
    for line in ["ca renew --force", "ca renew --force --mtls=false"] {
        let said = setting.told(line, &["a.crt", "a.key"]);
        assert!(said.contains("Your certificate has been saved in a.crt."), "{said}");
        setting.verify("a.crt");
        let serial = setting.serial("a.crt");
        assert!(!seen.contains(&serial));
        seen.push(serial);
    }

    // By a token that the user made for another program.
    let x5c = "ca token --renew --x5c-cert a.crt --x5c-key a.key";
    let token = setting.run(x5c, &["a.example"]);
    let mut request = Request::post("/1.0/renew", &Value::Null);
    request.headers.push(("Authorization".to_owned(), format!("Bearer {}", token.trim())));
    let answer = setting.ca.client().send(&request).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    setting.write("other.crt", answer.json()["crt"].as_str().unwrap());
    assert!(!seen.contains(&setting.serial("other.crt")));
    assert_eq!(setting.ca.client().send(&request).unwrap().status, 401, "it is used up");

    // Not yet due: the file stays as it is.
    let before = setting.read("a.crt");
    setting.run("ca renew --force --expires-in 1h", &["a.crt", "a.key"]);
    assert_eq!(setting.read("a.crt"), before);
    let status = setting.step("certificate needs-renewal", &["a.crt"]).status().unwrap();
    assert_eq!(status.code(), Some(1), "1 is not due");
    setting.run("certificate needs-renewal --expires-in 25h", &["a.crt"]);
    setting.run("ca renew --out b.crt", &["a.crt", "a.key"]);
    assert_eq!(setting.read("a.crt"), before);
    setting.verify("b.crt");

    setting.certificate("norenew", "frozen", "");
    let said = setting.fail("ca renew --force", &["frozen.crt", "frozen.key"]);
    assert!(said.contains("The request lacked necessary authorization to be completed"), "{said}");
}

pub(crate) fn rekey(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    setting.certificate("plain", "a", "");
    let old: Profile = setting.profile("a.crt");
    setting.run("ca rekey --out-cert b.crt --out-key b.key", &["a.crt", "a.key"]);
    setting.verify("b.crt");
    let new = setting.profile("b.crt");
    assert_eq!(new.subject, old.subject);
    assert_ne!(new.public_key, old.public_key);
    let of_certificate = setting.openssl("x509 -in b.crt -noout -pubkey");
    assert_eq!(of_certificate, setting.openssl("pkey -in b.key -pubout"));

    setting.run("ca rekey --force --kty RSA --size 2048", &["b.crt", "b.key"]);
    setting.verify("b.crt");
    let inspected = setting.run("certificate inspect --short", &["b.crt"]);
    assert!(inspected.contains("(RSA 2048)"), "{inspected}");
    // A key of one's own.
    setting.run("crypto keypair --no-password --insecure c.pub c.key", &[]);
    setting.run("ca rekey --private-key c.key --out-cert c.crt", &["b.crt", "b.key"]);
    assert_eq!(setting.openssl("x509 -in c.crt -noout -pubkey"), setting.read("c.pub"));
}

pub(crate) fn daemon(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    setting.certificate("late", "a", "--not-after 1h");
    let before = setting.serial("a.crt");
    setting.write("keep", "cp a.crt new.crt && mv new.crt renewed.crt");
    let daemon = setting
        .step("ca renew --daemon --force --renew-period 1s", &["--exec", "sh keep", "a.crt", "a.key"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let daemon = Background(daemon.unwrap());
    wait("the daemon renews, and runs its command", || setting.file("renewed.crt").exists());
    drop(daemon);
    setting.verify("renewed.crt");
    assert_ne!(setting.serial("renewed.crt"), before);
}

pub(crate) fn expired(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    setting.certificate("late", "late", "--not-after 1s");
    setting.certificate("longlived", "strict", "--not-after 1s");
    wait("the certificates expire", || {
        let now = crate::common::token::now();
        now > setting.profile("late.crt").not_after + 1 && now > setting.profile("strict.crt").not_after + 1
    });
    setting.fail("certificate verify --roots .step/certs/root_ca.crt", &["late.crt"]);

    // The command notices, and asks with a token.
    let before = setting.serial("late.crt");
    setting.run("ca renew --force", &["late.crt", "late.key"]);
    assert_ne!(setting.serial("late.crt"), before);
    let said = setting.fail("ca renew --force", &["strict.crt", "strict.key"]);
    assert!(said.contains("authorization to be completed: certificate expired on "), "{said}");
}

/// A process that ends when dropped.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
