//! The `dataSource` of a PostgreSQL database, in both forms that step-ca takes: an address or keywords.
//!
//! What the keywords mean: <https://www.postgresql.org/docs/current/libpq-connect.html>, section 34.1.2. Nothing is read
//! from the environment here.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;
use tokio_postgres::config::SslMode;
use tokio_postgres::config::SslNegotiation;
use tokio_postgres::config::TargetSessionAttrs;
use zeroize::Zeroizing;

use crate::store::Error;
use crate::store::percent;
use crate::store::tls::Protection;
use crate::store::tls::Verify;

/// How long a connection may take unless `connect_timeout` says otherwise.
const CONNECT: Duration = Duration::from_secs(5);

/// How long what was sent may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Where a PostgreSQL database is, who stepless is there, and how the connection is protected.
///
/// [`Display`](fmt::Display) writes it without the password, and so does `Debug`.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: tokio_postgres::Config,
    pub(super) protection: Protection,
    /// For each host.
    connect_timeout: Duration,
    shown: String,
}

impl PostgresAddress {
    /// Reads a `dataSource`: `postgresql://user:password@host:port/database?sslmode=verify-full`, or
    /// `host=… user=… password='…'`. `database` goes before the one in it; `password` is for one without.
    ///
    /// # Errors
    ///
    /// [`Error::Address`], which never repeats a value.
    pub fn parse(data_source: &str, database: Option<&str>, password: Option<&str>) -> Result<Self, Error> {
        let url = ["postgres://", "postgresql://"].iter().find_map(|scheme| data_source.strip_prefix(scheme));
        let settings = match url {
            Some(rest) => from_url(rest),
            None => from_keywords(data_source),
        };
        let mut settings = settings.ok_or_else(|| fault("it is neither an address nor keywords"))?;
        if let Some(database) = database.filter(|database| !database.is_empty()) {
            settings.set("database", database);
        }
        if settings.get("password").is_none()
            && let Some(password) = password
        {
            settings.set("password", password);
        }
        settings.into_address()
    }
}

impl PostgresAddress {
    /// How long connecting may take, all hosts tried in turn.
    pub(super) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        self.connect_timeout.saturating_mul(hosts.max(1))
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresAddress({})", self.shown)
    }
}

fn fault(reason: &str) -> Error {
    Error::Address { reason: reason.to_owned() }
}

/// Names and values; of two of a name the last counts.
#[derive(Default)]
struct Settings(Vec<(String, Zeroizing<String>)>);

impl Settings {
    fn set(&mut self, name: &str, value: &str) {
        let name = if name == "dbname" { "database" } else { name };
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), Zeroizing::new(value.to_owned())));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn into_address(self) -> Result<PostgresAddress, Error> {
        let mut config = tokio_postgres::Config::new();
        config.application_name("stepless").tcp_user_timeout(UNACKNOWLEDGED);
        let mut options = Vec::new();
        let mut connect_timeout = CONNECT;
        for (name, value) in &self.0 {
            let value = value.as_str();
            match name.as_str() {
                "user" => drop(config.user(value)),
                "password" => drop(config.password(value)),
                "database" => drop(config.dbname(value)),
                "application_name" => drop(config.application_name(value)),
                "options" => options.push(value.to_owned()),
                "connect_timeout" => match value.parse() {
                    Ok(0) => {}
                    Ok(seconds) => connect_timeout = Duration::from_secs(seconds),
                    Err(_) => return Err(fault("connect_timeout is no number of seconds")),
                },
                "target_session_attrs" => {
                    config.target_session_attrs(match value {
                        "any" => TargetSessionAttrs::Any,
                        "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                        _ => return Err(fault("target_session_attrs must be any, read-write or primary")),
                    });
                }
                "channel_binding" => {
                    config.channel_binding(match value {
                        "disable" => ChannelBinding::Disable,
                        "prefer" => ChannelBinding::Prefer,
                        "require" => ChannelBinding::Require,
                        _ => return Err(fault("channel_binding must be disable, prefer or require")),
                    });
                }
                "sslnegotiation" => {
                    config.ssl_negotiation(match value {
                        "postgres" => SslNegotiation::Postgres,
                        "direct" => SslNegotiation::Direct,
                        _ => return Err(fault("sslnegotiation must be postgres or direct")),
                    });
                }
                "host"
                | "port"
                | "sslmode"
                | "sslrootcert"
                | "sslcert"
                | "sslkey"
                | "sslsni"
                | "min_protocol_version"
                | "max_protocol_version" => {}
                "passfile" | "service" | "servicefile" | "sslpassword" | "krbsrvname" | "krbspn" => {
                    return Err(fault(&format!("{name} is not offered")));
                }
                // Any other is a setting of the session, as in step-ca.
                _ => options.push(format!("-c {name}={}", value.replace('\\', r"\\").replace(' ', r"\ "))),
            }
        }
        if !options.is_empty() {
            config.options(options.join(" "));
        }
        config.connect_timeout(connect_timeout);
        let hosts = self.hosts()?;
        for (host, port) in &hosts {
            config.host(host).port(*port);
        }
        let local = hosts.iter().all(|(host, _)| host.starts_with('/'));
        let (mode, protection) = self.protection(local)?;
        config.ssl_mode(mode);
        let shown: Vec<String> = hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let user = self.get("user").map(|user| format!("{user}@")).unwrap_or_default();
        let database = self.get("database").unwrap_or_default();
        let shown = format!("postgresql://{user}{}/{database}", shown.join(","));
        Ok(PostgresAddress { config, protection, connect_timeout, shown })
    }

    /// Every host with its port; a missing port is the first one, as step-ca has it.
    fn hosts(&self) -> Result<Vec<(String, u16)>, Error> {
        let hosts = self.get("host").filter(|hosts| !hosts.is_empty()).unwrap_or_else(|| {
            let sockets = "/var/run/postgresql";
            if Path::new(sockets).exists() { sockets } else { "localhost" }
        });
        let ports = self.get("port").filter(|ports| !ports.is_empty()).unwrap_or("5432");
        let ports: Vec<&str> = ports.split(',').collect();
        let host = |(index, host): (usize, &str)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or_default();
            let port = if port.is_empty() { "5432" } else { port };
            let port = port.parse().map_err(|_| fault("a port is no number from 1 to 65535"))?;
            Ok((host.to_owned(), port))
        };
        hosts.split(',').enumerate().map(host).collect()
    }

    fn protection(&self, local: bool) -> Result<(SslMode, Protection), Error> {
        let roots = self.get("sslrootcert").filter(|path| !path.is_empty() && *path != "system");
        let (mode, verify) = match self.get("sslmode").unwrap_or("prefer") {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" if roots.is_some() => (SslMode::Require, Verify::Chain),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Chain),
            "verify-full" => (SslMode::Require, Verify::ChainAndName),
            _ => {
                return Err(fault(
                    "sslmode must be disable, allow, prefer, require, verify-ca or verify-full",
                ));
            }
        };
        let identity = match (self.get("sslcert"), self.get("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(fault("sslcert and sslkey go together")),
        };
        // On a socket of this machine there is no TLS, whatever the mode.
        let mode = if local { SslMode::Disable } else { mode };
        Ok((mode, Protection { verify, roots: roots.map(PathBuf::from), identity }))
    }
}

/// What follows the scheme of an address.
fn from_url(rest: &str) -> Option<Settings> {
    let mut settings = Settings::default();
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = match authority.rsplit_once('@') {
        Some((user_info, hosts)) => {
            let (user, password) = user_info.split_once(':').map_or((user_info, None), |(u, p)| (u, Some(p)));
            settings.set("user", &percent::decode(user)?);
            if let Some(password) = password {
                settings.set("password", &percent::decode(password)?);
            }
            hosts
        }
        None => authority,
    };
    if !hosts.is_empty() {
        let mut names = Vec::new();
        let mut ports = Vec::new();
        for host in hosts.split(',') {
            let (name, port) = match host.strip_prefix('[') {
                Some(literal) => {
                    let (name, port) = literal.split_once(']')?;
                    (name, port.strip_prefix(':').unwrap_or(port))
                }
                None => host.split_once(':').unwrap_or((host, "")),
            };
            names.push(percent::decode(name)?.to_string());
            ports.push(if port.is_empty() { "5432" } else { port });
        }
        settings.set("host", &names.join(","));
        settings.set("port", &ports.join(","));
    }
    if !database.is_empty() {
        settings.set("database", &percent::decode(database)?);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        settings.set(&percent::decode(name)?, &percent::decode(&value.replace('+', " "))?);
    }
    Some(settings)
}

/// `name = value` pairs; a value in single quotes may hold spaces, and `\` takes the next character as it is.
fn from_keywords(text: &str) -> Option<Settings> {
    let mut settings = Settings::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        let value = value.trim_start();
        let quoted = value.starts_with('\'');
        let mut characters = value.char_indices().skip(usize::from(quoted));
        let mut read = Zeroizing::new(String::new());
        let mut end = value.len();
        let mut closed = !quoted;
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => read.push(characters.next()?.1),
                '\'' if quoted => {
                    (end, closed) = (index + 1, true);
                    break;
                }
                other if !quoted && other.is_whitespace() => {
                    end = index;
                    break;
                }
                other => read.push(other),
            }
        }
        if !closed {
            return None;
        }
        settings.set(name, &read);
        rest = value[end..].trim_start();
    }
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data_source: &str, shown: &str, mode: SslMode, verify: Verify) -> PostgresAddress {
        let address = PostgresAddress::parse(data_source, None, None).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(
            (address.config.get_ssl_mode(), address.protection.verify),
            (mode, verify),
            "{data_source}"
        );
        assert!(!format!("{address:?}{address}").contains("hunter"));
        address
    }

    fn password(address: &PostgresAddress) -> Option<&str> {
        address.config.get_password().map(|password| std::str::from_utf8(password).unwrap())
    }

    #[test]
    fn addresses_are_read() {
        let address = check(
            "postgresql://ca:hunter%2F%402@db.example/",
            "postgresql://ca@db.example:5432/",
            SslMode::Prefer,
            Verify::Nothing,
        );
        assert_eq!(password(&address), Some("hunter/@2"));
        check(
            "postgres://ca@[::1]:6432,b/records?sslmode=verify-full&target_session_attrs=read-write",
            "postgresql://ca@::1:6432,b:5432/records",
            SslMode::Require,
            Verify::ChainAndName,
        );
        check(
            "postgresql://%2Fvar%2Frun/ca?user=ca&sslmode=require",
            "postgresql://ca@/var/run:5432/ca",
            SslMode::Disable,
            Verify::Nothing,
        );
        let address = PostgresAddress::parse("postgresql://ca@a/x", Some("y"), Some("hunter2")).unwrap();
        assert_eq!(
            (address.to_string().as_str(), password(&address)),
            ("postgresql://ca@a:5432/y", Some("hunter2"))
        );
    }

    #[test]
    fn keywords_are_read() {
        let address = check(
            r"host=a,b port=1,2 user = ca password='hunter \'2\\' dbname=records sslmode=verify-ca sslrootcert=/r.pem",
            "postgresql://ca@a:1,b:2/records",
            SslMode::Require,
            Verify::Chain,
        );
        assert_eq!(password(&address), Some(r"hunter '2\"));
        assert_eq!(address.protection.roots, Some("/r.pem".into()));
        let address = check(
            "host=a sslmode=require sslrootcert=r.pem work_mem='4 MB' connect_timeout=7",
            "postgresql://a:5432/",
            SslMode::Require,
            Verify::Chain,
        );
        assert_eq!(address.config.get_options(), Some(r"-c work_mem=4\ MB"));
        assert_eq!(address.connect_timeout, Duration::from_secs(7));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_password() {
        for data_source in [
            "hunter2",
            "password='hunter2",
            "postgresql://ca:hunter2%zz@a/",
            "postgresql://ca:hunter2@a:port/",
            "postgresql://ca:hunter2@a/?sslmode=no",
            "postgresql://ca:hunter2@a/?service=x",
            "postgresql://ca:hunter2@a/?sslcert=x",
            "postgresql://ca:hunter2@a/?target_session_attrs=standby",
        ] {
            let error = PostgresAddress::parse(data_source, None, None).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
        }
    }
}
