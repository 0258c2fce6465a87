//! What packaging/ holds works: the static program, its image, and the federated tier, started twice.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use common::binary::Desk;
use common::tools;

/// How long a container may take until it works.
const PATIENCE: Duration = Duration::from_secs(60);

const SERVICES: [&str; 4] = ["init", "postgres", "stepless", "valkey"];

/// The images of the tier that come from a registry, which not every machine reaches.
const OTHERS: [(&str, &str); 2] = [("postgres", "postgres:17"), ("valkey", "valkey/valkey:8")];

const GRANT: &str = "certificate a.example --ca-url https://127.0.0.1:9000 --provisioner mosaic-fed \
    --password-file /run/secrets/stepless_password --grant-id 3f2504e0-4f89-41d3-9a0c-0305e82c3301 \
    --subject-user-id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d --out /var/lib/stepless/issued --force";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command with these words.
fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words);
    command
}

fn docker(line: &str) -> String {
    tools::run(&mut words(&format!("docker {line}")))
}

fn docker_output(line: &str) -> Output {
    words(&format!("docker {line}")).output().expect("docker runs")
}

/// Builds the static program as a user would, in the profile that takes the least time.
fn build_static() -> Result<(), &'static str> {
    static BUILT: OnceLock<Result<(), &'static str>> = OnceLock::new();
    *BUILT.get_or_init(|| {
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let targets = Command::new("rustup").args(["target", "list", "--installed"]).output();
        if !targets.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&target)) {
            return Err("the Rust target for static programs is not installed");
        }
        if tools::find("musl-gcc", &["--version"]).is_none() {
            return Err("there is no musl-gcc (Debian: musl-tools)");
        }
        let script = root().join("packaging/build-static.sh");
        let mut command = Command::new(script);
        // What cargo tells this test about itself would make ring be built again.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_")
                || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            {
                command.env_remove(name);
            }
        }
        tools::run(command.args(["--profile", "dev"]));
        Ok(())
    })
}

/// An image of the static program, gone when dropped.
struct Image(String);

impl Image {
    /// Builds it from packaging/Dockerfile, or says what is missing.
    fn build(test: &str) -> Result<Self, &'static str> {
        if !docker_output("info").status.success() {
            return Err("no docker answers");
        }
        build_static()?;
        let tag = format!("stepless-test/{test}-{}", std::process::id());
        let line = format!("docker build --quiet --tag {tag} --file packaging/Dockerfile target/static");
        let build = |builder| {
            words(&line).current_dir(root()).env("DOCKER_BUILDKIT", builder).output().expect("docker runs")
        };
        // The older builder is going away, the newer one is a plug-in that not every docker has.
        if !build("0").status.success() {
            let output = build("1");
            assert!(output.status.success(), "{}", tools::said(&output));
        }
        Ok(Self(tag))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = docker_output(&format!("image rm --force {}", self.0));
    }
}

/// A container or a project of containers, gone with its volumes when dropped.
struct Cleanup(Command);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let _ = self.0.output();
    }
}

/// The password for a container, whose user is not that of the test; the desk is private.
fn write_secret(desk: &Desk, name: &str) {
    desk.write(name, "not a secret\n");
    std::fs::set_permissions(desk.file(name), Permissions::from_mode(0o444)).unwrap();
}

/// Asks again and again until the answer is this one.
fn wait_for(what: &str, expected: &str, ask: impl Fn() -> String) {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if answer.trim() == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} is {answer:?} and not {expected:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn inspect(container: &str, format: &str) -> String {
    tools::run(Command::new("docker").args(["inspect", "--format", format, container])).trim().to_owned()
}

#[test]
fn an_image_of_nothing_else_serves() {
    let built = match Image::build("image") {
        Ok(built) => built,
        Err(missing) => return tools::skip(missing),
    };
    let image = &built.0;
    assert!(docker(&format!("run --rm {image} version")).starts_with("stepless "));

    let desk = Desk::new();
    write_secret(&desk, "password");
    let name = format!("stepless-test-{}", std::process::id());
    // The containers go first.
    let _volume = Cleanup(words(&format!("docker volume rm --force {name}")));
    let _container = Cleanup(words(&format!("docker rm --force --volumes {name}")));
    let _second = Cleanup(words(&format!("docker rm --force --volumes {name}-second")));
    // Nothing can be written but the volume, no privilege is left, and nobody is reached.
    let options = format!(
        "--network none --read-only --cap-drop ALL --security-opt no-new-privileges --volume {name}:/var/lib/stepless \
         --volume {}:/run/secrets/stepless_password:ro",
        desk.file("password").display()
    );
    const INIT: &str =
        "init --password-file /run/secrets/stepless_password --profile federation --address :9000";
    let first = docker(&format!("run --rm {options} {image} {INIT}"));
    assert!(first.starts_with("The authority is ready.\n"), "{first}");
    let again = docker(&format!("run --rm {options} {image} {INIT}"));
    assert!(again.starts_with("The authority was there already; nothing was changed.\n"), "{again}");
    let outside = docker_output(&format!("run --rm {options} {image} {INIT} --dir /elsewhere"));
    assert_eq!(outside.status.code(), Some(2), "{}", tools::said(&outside));
    assert!(tools::said(&outside).contains("read-only file system"), "{}", tools::said(&outside));

    docker(&format!("run --detach --name {name} --health-interval 1s {options} {image}"));
    wait_for("health", "healthy", || inspect(&name, "{{.State.Health.Status}}"));
    assert_eq!(inspect(&name, "{{.Config.User}}"), "65532:65532");
    let issued = docker(&format!("exec {name} /stepless {GRANT}"));
    assert!(issued.contains("grant id         3f2504e0-4f89-41d3-9a0c-0305e82c3301"), "{issued}");
    // Another one on the same records is refused while this one serves.
    let second = docker_output(&format!("run --name {name}-second {options} {image}"));
    assert_eq!(second.status.code(), Some(2), "{}", tools::said(&second));
    assert!(tools::said(&second).contains("stepless.db"), "{}", tools::said(&second));

    docker(&format!("stop --time 30 {name}"));
    assert_eq!(inspect(&name, "{{.State.ExitCode}}"), "0", "{}", docker(&format!("logs {name}")));
}

/// Compose in either of its forms, on a project of its own.
struct Compose {
    program: Vec<String>,
    desk: Desk,
    project: String,
    image: String,
}

impl Compose {
    fn find(image: &str) -> Option<Self> {
        let plugin = ["docker", "compose"].map(str::to_owned).to_vec();
        let alone = vec!["docker-compose".to_owned()];
        let works = |program: &Vec<String>| {
            let mut command = Command::new(&program[0]);
            command.args(&program[1..]).arg("version").output().is_ok_and(|output| output.status.success())
        };
        let program = [plugin, alone].into_iter().find(works)?;
        let desk = Desk::new();
        for name in ["stepless", "postgres", "valkey"] {
            write_secret(&desk, &format!("{name}_password"));
        }
        let project = format!("stepless-test-tier-{}", std::process::id());
        Some(Self { program, desk, project, image: image.to_owned() })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program[0]);
        command
            .args(&self.program[1..])
            .args(["--project-name", &self.project, "--file"])
            .arg(root().join("packaging/docker-compose.federated.yml"))
            .args(line.split_whitespace())
            .env("STEPLESS_IMAGE", &self.image)
            .env("STEPLESS_SECRETS", self.desk.path())
            .env("STEPLESS_HOST", "ca.example")
            // Whichever port is free.
            .env("STEPLESS_LISTEN", "127.0.0.1:");
        command
    }

    fn run(&self, line: &str) -> String {
        tools::run(&mut self.command(line))
    }

    /// Waits until the authority answers on the port that this machine was given, trusting `root`.
    fn wait(&self) {
        let port = self.run("port stepless 9000");
        let port = port.trim().rsplit(':').next().expect("an address");
        let line = format!("health --ca-url https://127.0.0.1:{port} --root root.crt");
        wait_for("the authority", "ok", || self.desk.run(&line).stdout);
    }

    /// A file of the volume.
    fn file(&self, name: &str) -> String {
        let container = self.run("ps --quiet stepless");
        let copy = self.desk.file("copy");
        let from = format!("{}:/var/lib/stepless/{name}", container.trim());
        tools::run(Command::new("docker").args(["cp", &from]).arg(&copy));
        std::fs::read_to_string(copy).unwrap()
    }
}

#[test]
fn the_federated_tier_starts_twice() {
    let image = match Image::build("tier") {
        Ok(image) => image,
        Err(missing) => return tools::skip(missing),
    };
    let Some(tier) = Compose::find(&image.0) else { return tools::skip("there is no docker compose") };
    let config = tier.run("config");
    let mut services: Vec<String> = tier.run("config --services").lines().map(str::to_owned).collect();
    services.sort();
    assert_eq!(services, SERVICES);
    for (_, image) in OTHERS {
        assert!(config.contains(&format!("image: {image}\n")), "{config}");
    }

    let probe = format!("{}-probe", tier.project);
    if !docker_output(&format!("network create {probe}")).status.success() {
        return tools::say_skipped("docker has no networks here");
    }
    docker(&format!("network rm {probe}"));
    let _project = Cleanup(tier.command("down --volumes --timeout 5"));
    tier.run("up --detach stepless");
    let root = tier.file("certs/root_ca.crt");
    tier.desk.write("root.crt", &root);
    tier.wait();
    let container = tier.run("ps --quiet stepless");
    let hardened = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}";
    assert_eq!(inspect(container.trim(), hardened), "true [ALL] [no-new-privileges:true]");
    let issued = tier.run(&format!("exec -T stepless /stepless {GRANT}"));
    let serial = issued.lines().find_map(|line| line.strip_prefix("serial number")).expect("a serial number");
    let ca_json = tier.file("config/ca.json");
    let key = tier.file("secrets/intermediate_ca_key");

    // All containers and networks go, the volume stays, and the second start is the same authority.
    tier.run("down --timeout 30");
    tier.run("up --detach stepless");
    tier.wait();
    assert_eq!(tier.file("certs/root_ca.crt"), root);
    assert_eq!(tier.file("config/ca.json"), ca_json);
    assert_eq!(tier.file("secrets/intermediate_ca_key"), key);
    let records = tier.run("exec -T stepless /stepless list");
    assert!(records.contains(serial.trim()), "{records}");
    assert!(tier.run("logs --no-color init").contains("The authority was there already"));

    if OTHERS.iter().any(|(_, image)| !docker_output(&format!("image inspect {image}")).status.success()) {
        return tools::say_skipped("docker has no postgres:17 and valkey/valkey:8");
    }
    tier.run("up --detach");
    for (service, _) in OTHERS {
        let container = tier.run(&format!("ps --quiet {service}"));
        wait_for(service, "healthy", || inspect(container.trim(), "{{.State.Health.Status}}"));
    }
}
