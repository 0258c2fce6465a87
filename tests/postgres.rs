//! Several `stepless serve` on one PostgreSQL database, as behind a load balancer.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::binary::Daemon;
use common::binary::Desk;
use common::csr::Csr;
use common::fixture::Fixture;
use common::https::Client;
use common::https::Request;
use common::postgres::PASSWORD;
use common::postgres::Postgres;
use common::token;
use der::Decode as _;
use serde_json::Value;
use serde_json::json;
use x509_cert::crl::CertificateList;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An authority's directory, its database, and the processes that serve it.
struct Site {
    // Before the server: they say goodbye to it.
    daemons: Vec<Daemon>,
    server: Postgres,
    fixture: Fixture,
    desk: Desk,
}

impl Site {
    /// Starts `processes` on a new database; `None` if there can be none.
    fn start(processes: usize) -> Option<Self> {
        let server = Postgres::start()?;
        let fixture = Fixture::copy("mosaic");
        let source =
            server.data_source(&format!("sslmode=verify-full&sslrootcert={}", server.root().display()));
        fixture.replace("\"badgerv2\"", "\"postgresql\"");
        fixture.replace("\"dataSource\": \"db\"", &format!("\"dataSource\": \"{source}\""));
        let mut site = Self { daemons: Vec::new(), server, fixture, desk: Desk::new() };
        // At the same moment, on a database that has nothing yet.
        site.daemons = thread::scope(|scope| {
            let starting: Vec<_> = (0..processes).map(|_| scope.spawn(|| site.serve("").unwrap())).collect();
            starting.into_iter().map(|starting| starting.join().unwrap()).collect()
        });
        Some(site)
    }

    /// Starts one more process, or gives what it said.
    fn serve(&self, options: &str) -> Result<Daemon, String> {
        let line =
            format!("serve ca.json --address 127.0.0.1:0 --password-file secrets/password.txt {options}");
        let mut command = self.desk.command(&line);
        command.current_dir(self.fixture.path());
        Daemon::start(command)
    }

    fn client(&self, index: usize) -> Client {
        self.daemons[index].client(&self.fixture.file("certs/root_ca.crt"))
    }

    /// A request for a certificate of `name`, with a token of its own, and its key.
    fn request(&self, name: &str) -> (Request, Csr) {
        let csr = Csr::new(name, &[name]);
        let ott = token::mint(&self.fixture.provisioner_key("plain"), &token::claims("plain", name));
        (Request::post("/1.0/sign", &json!({"csr": csr.pem, "ott": ott})), csr)
    }

    /// Runs a command in the directory.
    fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = self.desk.command(line).current_dir(self.fixture.path()).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!said.concat().contains(PASSWORD), "{line}: {said:?}");
        (output.status.code(), said.concat())
    }

    /// The CRL of one process: its number, and how many are listed.
    fn crl(&self, index: usize) -> (u64, usize) {
        let answer = self.client(index).send(&Request::get("/crl")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let list: CertificateList = CertificateList::from_der(&answer.body).unwrap();
        let mut extensions = list.tbs_cert_list.crl_extensions.unwrap().into_iter();
        let number = extensions.find(|extension| extension.extn_id.to_string() == "2.5.29.20").unwrap();
        let number =
            number.extn_value.as_bytes()[2..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        (number, list.tbs_cert_list.revoked_certificates.map_or(0, |revoked| revoked.len()))
    }
}

#[test]
fn a_token_is_accepted_by_one_process_of_many() {
    let Some(site) = Site::start(4) else { return };
    let clients: Vec<Client> = (0..4).map(|index| site.client(index)).collect();
    let mut issued = 0;
    for round in 0..30 {
        let (request, _) = site.request(&format!("r{round}.example"));
        let barrier = Barrier::new(8);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let (request, barrier) = (&request, &barrier);
            let sending: Vec<_> = (clients.iter().chain(&clients))
                .map(|client| {
                    scope.spawn(move || {
                        barrier.wait();
                        client.send(request).unwrap().status
                    })
                })
                .collect();
            sending.into_iter().map(|sending| sending.join().unwrap()).collect()
        });
        let (created, refused): (Vec<u16>, Vec<u16>) = statuses.iter().partition(|status| **status == 201);
        assert_eq!(created.len(), 1, "{statuses:?}");
        assert!(refused.iter().all(|status| *status == 401), "{statuses:?}");
        issued += 1;
    }
    let counted =
        "SELECT (SELECT count(*) FROM stepless.certificates), (SELECT count(*) FROM stepless.spent_tokens)";
    // Each process has a certificate of its own for TLS only, which is not on record.
    assert_eq!(site.server.sql(counted), format!("{issued}|{issued}"));
}

#[test]
fn what_one_process_revokes_the_others_do_not_renew() {
    let Some(mut site) = Site::start(2) else { return };
    let (request, csr) = site.request("a.example");
    let answer = site.client(0).send(&request).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let body: Value = answer.json();
    let chain: String =
        body["certChain"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
    std::fs::write(site.fixture.file("a.crt"), chain).unwrap();
    std::fs::write(site.fixture.file("a.key"), &csr.key_pem).unwrap();
    let target = |site: &Site, index: usize| {
        format!("--ca-url https://localhost:{} --root certs/root_ca.crt", site.daemons[index].port)
    };
    let (code, said) = site.run(&format!("renew a.crt a.key --out b.crt {}", target(&site, 1)));
    assert_eq!(code, Some(0), "{said}");
    let before = site.crl(1);
    let (code, said) =
        site.run(&format!("revoke --cert a.crt --key a.key --reason lost {}", target(&site, 0)));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = site.run(&format!("renew a.crt a.key --out c.crt {}", target(&site, 1)));
    assert_ne!(code, Some(0), "{said}");
    let (_, said) = site.run("list --config ca.json --revoked --format csv");
    assert!(said.contains("a.example") && said.contains("lost"), "{said}");

    // The lists are one list: every process serves the same, and numbers rise whoever issues them.
    let mut numbers = BTreeSet::from([before.0]);
    for turn in 0..4 {
        let index = turn % 2;
        // Each start issues one.
        site.daemons[index] = site.serve("").unwrap();
        let (number, listed) = site.crl(index);
        assert_eq!(site.crl(1 - index), (number, listed));
        assert_eq!(listed, 1);
        numbers.insert(number);
    }
    assert!(*numbers.last().unwrap() > before.0, "{numbers:?}");

    let (code, said) = site.run("audit verify --config ca.json");
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = site.run("audit export --config ca.json --kind revoked --kind renewed");
    assert!(said.contains("renewed") && said.contains("a.example"), "{said}");
    site.server.sql("UPDATE stepless.certificates SET subject = 'CN=b.example' WHERE record = 1");
    let (code, said) = site.run("audit verify --config ca.json");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was altered"), "{said}");

    // Backups of a file are for files.
    let (code, said) = site.run("backup copy.db --config ca.json");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("pg_dump"), "{said}");
}

#[test]
fn without_the_server_it_answers_503_and_goes_on_when_it_is_back() {
    let Some(mut site) = Site::start(1) else { return };
    assert_eq!(site.client(0).send(&site.request("a.example").0).unwrap().status, 201);
    site.server.stop();
    let (request, _) = site.request("b.example");
    for _ in 0..3 {
        let answer = site.client(0).send(&request).unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("Retry-After"), Some("1"));
        assert_eq!(
            answer.json()["message"],
            "The certificate authority cannot reach its database. Please try again later."
        );
    }
    assert_eq!(site.client(0).send(&Request::get("/health")).unwrap().status, 200);
    let (code, said) = site.run("doctor ca.json --password-file secrets/password.txt");
    assert_eq!(code, Some(2), "{said}");
    let failed = said.lines().find(|line| line.starts_with("✗ store  postgresql://ca@localhost:")).unwrap();
    assert!(failed.contains("is not available"), "{failed}");
    assert!(said.contains("  hint: check that the server runs"), "{said}");
    site.server.start_again();
    let begun = Instant::now();
    loop {
        let answer = site.client(0).send(&request).unwrap();
        if answer.status == 201 {
            break;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(begun.elapsed() < PATIENCE, "{}", site.daemons[0].log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(site.client(0).send(&request).unwrap().status, 401);
    let log = site.daemons[0].log_with("available again");
    assert!(log.contains("the database is not available") && log.contains("available again"), "{log}");
    assert!(!log.contains(PASSWORD));
    let (_, said) = site.run("doctor ca.json --password-file secrets/password.txt");
    assert!(said.contains("✓ store  postgresql://ca@localhost:"), "{said}");
}

#[test]
fn no_certificate_leaves_without_its_record_when_connections_are_cut() {
    let Some(site) = Site::start(2) else { return };
    let done = std::sync::atomic::AtomicBool::new(false);
    let cut = std::sync::atomic::AtomicBool::new(false);
    let begun = Instant::now();
    let (received, statuses) = thread::scope(|scope| {
        let site = &site;
        let (done, cut) = (&done, &cut);
        let workers: Vec<_> = (0..6)
            .map(|worker| {
                scope.spawn(move || {
                    let clients = [site.client(0), site.client(1)];
                    let mut received = Vec::new();
                    let mut statuses = Vec::new();
                    // At least so many, and on until a cut was felt.
                    for number in 0.. {
                        let felt =
                            cut.load(std::sync::atomic::Ordering::Relaxed) || begun.elapsed() > PATIENCE;
                        if number >= 30 && felt {
                            break;
                        }
                        let (request, _) = site.request(&format!("w{worker}n{number}.example"));
                        let mut accepted = 0;
                        // A client that is told to come back does, anywhere.
                        for attempt in 0..6 {
                            let answer = clients[(number + attempt) % 2].send(&request).unwrap();
                            statuses.push(answer.status);
                            if answer.status == 503 {
                                cut.store(true, std::sync::atomic::Ordering::Relaxed);
                            }
                            if answer.status == 201 {
                                received.push(answer.json()["crt"].as_str().unwrap().to_owned());
                                accepted += 1;
                            }
                        }
                        assert!(accepted <= 1, "a token was accepted {accepted} times");
                    }
                    (received, statuses)
                })
            })
            .collect();
        scope.spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                site.server.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepless'
                     AND random() < 0.5",
                );
            }
        });
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let results: (Vec<_>, Vec<_>) = results.into_iter().map(Result::unwrap).unzip();
        (results.0.concat(), results.1.concat())
    });
    assert!(statuses.iter().all(|status| [201, 401, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503), "nothing was cut");
    assert!(received.len() > 20, "{}", received.len());
    let recorded: BTreeSet<String> = site
        .server
        .sql("SELECT encode(der, 'hex') FROM stepless.certificates")
        .lines()
        .map(str::to_owned)
        .collect();
    for pem in &received {
        let der = rustls_der(pem);
        assert!(recorded.contains(&common::csr::hex(&der)), "a certificate without a record:\n{pem}");
    }
}

fn rustls_der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// The time until which used tokens are forgotten lies ahead: the clocks of the database and of a process did.
#[test]
fn a_clock_behind_what_was_forgotten_is_named_at_the_start() {
    let Some(site) = Site::start(1) else { return };
    let said = site.serve("--accept-clock").unwrap_err();
    assert!(
        said.contains("error: --accept-clock is about records in a file, and those in postgresql://"),
        "{said}"
    );
    assert!(said.contains("hint: leave the option out; "), "{said}");
    site.server.sql(
        "UPDATE stepless.head SET forgotten_until = floor(extract(epoch FROM now()))::bigint + 3600 WHERE id = 1",
    );
    let said = site.serve("").unwrap_err();
    assert!(said.contains("error: the clock shows ") && said.contains("all tokens count as used"), "{said}");
    assert!(said.contains("hint: set this machine's clock; "), "{said}");
    // What the hint leads to helps.
    let guide = std::fs::read_to_string("docs/scaling.md").unwrap();
    let repair = guide.split("```sql\n").find(|text| text.starts_with("UPDATE stepless.head")).unwrap();
    site.server.sql(repair.split("```").next().unwrap());
    let (early, _) = site.request("a.example");
    assert_eq!(site.client(0).send(&early).unwrap().status, 401);
    site.serve("").unwrap();
}

#[test]
fn step_cas_records_beside_it_are_left_alone() {
    let Some(mut site) = Site::start(0) else { return };
    site.server.sql("CREATE TABLE x509_certs (nkey bytea PRIMARY KEY, nvalue bytea)");
    // The list would lack what was revoked there.
    let said = site.serve("").unwrap_err();
    assert!(said.contains("are not read") && said.contains("--forget-database"), "{said}");
    assert_eq!(
        site.server.sql("SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'stepless'"),
        "0"
    );
    let daemon = site.serve("--forget-database").unwrap();
    assert!(daemon.log().contains("Records are kept in postgresql://ca@localhost:"), "{}", daemon.log());
    drop(daemon);
    let said = site.serve("--forget-database").unwrap_err();
    assert!(said.contains("ALTER SCHEMA stepless RENAME"), "{said}");
    let daemon = site.serve("").unwrap();
    assert!(daemon.log().contains("what was revoked there is not revoked here"), "{}", daemon.log());
    drop(daemon);
    // And without a server nothing starts.
    site.server.stop();
    let said = site.serve("").unwrap_err();
    assert!(said.contains("is not available") && said.contains("hint: "), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}
