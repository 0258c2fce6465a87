//! What `stepless serve` tells a service manager, over a real socket, and what it takes from one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::binary::Daemon;
use common::binary::Desk;
use common::tools;

/// What the unit reaches, network and ports below 1024 included.
const EXPOSURE_TENTHS: u32 = 14;

const LINE: &str = "serve ca/config/ca.json --password-file password --address 127.0.0.1:0";

fn authority() -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    let made = desk.run("init --dir ca --password-file password");
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    desk
}

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message from the daemon");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The next message but the watchdog's.
    fn next(&self) -> String {
        std::iter::repeat_with(|| self.receive()).find(|message| message != "WATCHDOG=1\n").unwrap()
    }

    /// The next one says that a reload begins, and when.
    fn check_reloading(&self, after_usec: u64) -> u64 {
        let message = self.next();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(
            (lines[0], lines[2]),
            ("RELOADING=1", "STATUS=reading the configuration again"),
            "{message}"
        );
        let usec: u64 = lines[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(usec > after_usec, "{message}");
        usec
    }
}

#[test]
fn a_manager_hears_of_start_reload_and_end() {
    let desk = authority();
    let path = desk.file("notify");
    let manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    let mut command = desk.command(LINE);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    let mut daemon = Daemon::start(command).unwrap();
    let port = daemon.port;
    assert_eq!(manager.next(), format!("READY=1\nSTATUS=Serving HTTPS on 127.0.0.1:{port} ...\n"));
    // It serves already.
    let health = common::https::Request::get("/health");
    assert_eq!(daemon.client(&desk.file("ca/certs/root_ca.crt")).send(&health).unwrap().status, 200);
    for _ in 0..3 {
        assert_eq!(manager.receive(), "WATCHDOG=1\n");
    }

    daemon.tell("HUP");
    let first = manager.check_reloading(0);
    assert_eq!(manager.next(), "READY=1\nSTATUS=the new configuration is in service\n");
    // A refused one is over as well, and the reason stands in one line.
    desk.write("ca/config/ca.json", "{");
    daemon.tell("HUP");
    manager.check_reloading(first);
    assert_eq!(
        manager.next(),
        "READY=1\nSTATUS=the new configuration is refused, the old one stays: error parsing ca.json: unexpected \
         end of JSON input\n"
    );
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    assert_eq!(manager.next(), "STOPPING=1\nSTATUS=stopping: running requests may finish\n");
}

#[test]
fn abstract_sockets_and_anothers_watchdog() {
    let desk = authority();
    let name = format!("stepless-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
    let mut command = desk.command(LINE);
    // Process 1 is not the daemon.
    command.env("NOTIFY_SOCKET", format!("@{name}")).env("WATCHDOG_USEC", "2000").env("WATCHDOG_PID", "1");
    let mut daemon = Daemon::start(command).unwrap();
    assert!(manager.receive().starts_with("READY=1\n"));
    daemon.tell("HUP");
    assert!(manager.receive().starts_with("RELOADING=1\n"));
    assert!(manager.receive().starts_with("READY=1\n"));
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    assert!(manager.receive().starts_with("STOPPING=1\n"));
}

#[test]
fn a_manager_that_is_gone_stops_nothing() {
    let desk = authority();
    let mut command = desk.command(LINE);
    command.env("NOTIFY_SOCKET", desk.file("nobody"));
    let mut daemon = Daemon::start(command).unwrap();
    let log = daemon.log_with("the service manager was not told");
    assert!(log.contains("the service manager was not told"), "{log}");
    assert_eq!(daemon.signal("TERM").code(), Some(0));
}

/// Serves with `files` as credentials, whose names and texts these are.
fn with_credentials(desk: &Desk, line: &str, files: &[(&str, &str)]) -> Result<Daemon, String> {
    let folder = desk.file("credentials");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut command = desk.command(line);
    command.env("CREDENTIALS_DIRECTORY", &folder);
    Daemon::start(command)
}

#[test]
fn the_password_may_be_a_credential() {
    const SERVE: &str = "serve ca/config/ca.json --address 127.0.0.1:0";
    let desk = authority();
    let serves = |line: &str, files: &[(&str, &str)]| {
        let mut daemon =
            with_credentials(&desk, line, files).unwrap_or_else(|said| panic!("{files:?}: {said}"));
        assert!(!daemon.log().contains("not a secret"));
        assert_eq!(daemon.signal("TERM").code(), Some(0));
    };
    let fails = |line: &str, files: &[(&str, &str)], reason: &str| {
        let said = with_credentials(&desk, line, files).expect_err("it must not start");
        assert!(said.contains(reason), "{files:?}: {said}");
    };
    // White space at the end does not count, at the beginning it does.
    serves(SERVE, &[("stepless-password", "not a secret \r\n\n")]);
    serves(SERVE, &[("password", "not a secret")]);
    serves(SERVE, &[("password", "wrong"), ("stepless-password", "not a secret")]);
    fails(SERVE, &[("password", " not a secret")], "decryption password incorrect");
    fails(SERVE, &[("other", "not a secret")], "there is no terminal to ask on");
    // What is given otherwise goes before.
    serves(&format!("{SERVE} --password-file password"), &[("password", "wrong")]);
    desk.write("wrong", "wrong");
    let wrong_file = format!("{SERVE} --password-file wrong");
    fails(&wrong_file, &[("password", "not a secret")], "decryption password incorrect");
    desk.replace(
        "ca/config/ca.json",
        "\"federatedRoots\"",
        "\"password\":\"not a secret\",\"federatedRoots\"",
    );
    serves(SERVE, &[("password", "wrong")]);
}

/// The members of a unit file, in order.
fn unit(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn the_unit_file_fits_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/stepless.service");
    let text = std::fs::read_to_string(&path).unwrap();
    let members = unit(&text);
    let value = |name: &str| {
        let found: Vec<&str> = members.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0].to_owned()
    };
    assert_eq!(value("Type"), "notify-reload");
    assert!(value("LoadCredential").starts_with("stepless-password:"));
    // Its command line starts an authority, with the password from the credential and nothing else.
    let command = value("ExecStart");
    let (program, arguments) = command.split_once(' ').unwrap();
    assert!(program.ends_with("/stepless"), "{program}");
    let desk = authority();
    let arguments = arguments.replace("/etc/stepless/config/ca.json", "ca/config/ca.json");
    let line = format!("{arguments} --address 127.0.0.1:0");
    let mut daemon = with_credentials(&desk, &line, &[("stepless-password", "not a secret\n")]).unwrap();
    assert_eq!(daemon.signal("TERM").code(), Some(0));

    // And systemd has nothing to say about it; the program it names is not installed here.
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return tools::skip("there is no systemd-analyze");
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let version = version.split_whitespace().nth(1).and_then(|number| number.parse::<u32>().ok());
    let mut text = text.replace(program, env!("CARGO_BIN_EXE_stepless"));
    if version.is_some_and(|version| version < 253) {
        text = text.replace("notify-reload", "notify");
    }
    let unit = desk.file("stepless.service");
    std::fs::write(&unit, text).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Vec<&str> = said.lines().filter(|line| line.contains("stepless.service")).collect();
    assert!(said.is_empty(), "{said:?}");

    // Its own measure of what a service may do to the rest of the system, from 0 to 10, in tenths.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--no-pager", "--offline=true", &format!("--threshold={EXPOSURE_TENTHS}")]);
    tools::run(security.arg(&unit));
}
