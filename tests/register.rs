//! Several `stepless serve` with records of their own and one register of spent tokens.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::binary::Daemon;
use common::binary::Desk;
use common::csr::Csr;
use common::fixture::Fixture;
use common::https::Request;
use common::redis::PASSWORD;
use common::redis::Redis;
use common::token;
use serde_json::json;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(desk: &Desk, fixture: &Fixture) -> Daemon {
    let mut command =
        desk.command("serve ca.json --address 127.0.0.1:0 --password-file secrets/password.txt");
    command.current_dir(fixture.path());
    Daemon::start(command).unwrap()
}

#[test]
fn processes_with_records_of_their_own_share_spent_tokens() {
    let Some(mut server) = Redis::start(true) else { return };
    let desk = Desk::new();
    // Copies of one directory: the same keys, other folders for records.
    let fixtures: Vec<Fixture> = (0..2).map(|_| Fixture::copy("mosaic")).collect();
    for fixture in &fixtures {
        let register = format!("\"authority\": {{\"tokenRegister\": \"{}\",", server.url());
        fixture.replace("\"authority\": {", &register);
    }
    let daemons: Vec<Daemon> = fixtures.iter().map(|fixture| serve(&desk, fixture)).collect();
    let request = |name: &str| {
        let csr = Csr::new(name, &[name]);
        let ott = token::mint(&fixtures[0].provisioner_key("plain"), &token::claims("plain", name));
        Request::post("/1.0/sign", &json!({"csr": csr.pem, "ott": ott}))
    };
    let send = |index: usize, request: &Request| {
        let client = daemons[index].client(&fixtures[index].file("certs/root_ca.crt"));
        client.send(request).unwrap()
    };
    for round in 0..10 {
        let request = request(&format!("r{round}.example"));
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let sending: Vec<_> = (0..4)
                .map(|n| (n, &request))
                .map(|(n, r)| scope.spawn(move || send(n % 2, r).status))
                .collect();
            sending.into_iter().map(|sending| sending.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401, 401, 401]);
    }

    server.stop();
    let request = request("z.example");
    let answer = send(0, &request);
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")), "{}", answer.text());
    let doctor = |code: i32| {
        let mut command = desk.command("doctor ca.json --password-file secrets/password.txt");
        let output = command.current_dir(fixtures[0].path()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code().is_some_and(|found| found >= code), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
        said
    };
    let said = doctor(2);
    assert!(said.contains("✗ register  rediss://default@localhost:"), "{said}");
    server.start_again();
    let begun = Instant::now();
    while send(0, &request).status != 201 {
        assert!(begun.elapsed() < PATIENCE, "{}", daemons[0].log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(send(1, &request).status, 401);
    let said = doctor(0);
    assert!(said.contains("✓ register  rediss://default@localhost:"), "{said}");
    assert!(!daemons[0].log().contains(PASSWORD), "{}", daemons[0].log());
}
