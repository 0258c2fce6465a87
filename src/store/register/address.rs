//! Where the register is: `redis://` or `rediss://`, in the form that Redis's own tools take.

use std::fmt;

use zeroize::Zeroizing;

use crate::store::Error;
use crate::store::percent;
use crate::store::tls::Protection;
use crate::store::tls::Verify;

/// Where a register of spent tokens is, and who stepless is there.
///
/// [`Display`](fmt::Display) writes it without the password, and so does `Debug`.
#[derive(Clone)]
pub struct RegisterAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: u32,
    /// `None` without TLS.
    pub(super) protection: Option<Protection>,
}

impl RegisterAddress {
    /// Reads `redis://user:password@host:port/database`, or `rediss://…` for TLS with the server's name checked, by the
    /// roots of the system or those of a file (`?ca=FILE`). `valkey` and `valkeys` mean the same. `password` is for an
    /// address without one.
    ///
    /// # Errors
    ///
    /// [`Error::Address`], which never repeats a password.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, Error> {
        let fault = || Error::Address {
            reason: "tokenRegister is not written as redis://USER:PASSWORD@HOST:PORT/DATABASE".to_owned(),
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(fault)?;
        let secure = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(fault()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let roots = match query.split_once('=') {
            _ if query.is_empty() => None,
            Some(("ca", path)) if secure => Some(percent::decode(path).ok_or_else(fault)?.as_str().into()),
            _ => return Err(fault()),
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, own_password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let (user, own_password) =
            (percent::decode(user).ok_or_else(fault)?, percent::decode(own_password).ok_or_else(fault)?);
        let (host, port) = match host.strip_prefix('[') {
            Some(literal) => literal.split_once(']').ok_or_else(fault)?,
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| fault())?,
            None => 6379,
        };
        if host.is_empty() {
            return Err(fault());
        }
        let protection = Protection { verify: Verify::ChainAndName, roots, identity: None };
        let own_password = Some(own_password).filter(|own| !own.is_empty());
        Ok(Self {
            host: host.to_owned(),
            port,
            user: Some(user.to_string()).filter(|user| !user.is_empty()),
            password: own_password.or_else(|| password.map(|word| Zeroizing::new(word.to_owned()))),
            database: if database.is_empty() { 0 } else { database.parse().map_err(|_| fault())? },
            protection: secure.then_some(protection),
        })
    }
}

impl fmt::Display for RegisterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.protection.is_some() { "rediss" } else { "redis" };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        write!(f, "{scheme}://{user}{}:{}/{}", self.host, self.port, self.database)
    }
}

impl fmt::Debug for RegisterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisterAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |text: &str, shown: &str, password: Option<&str>| {
            let address = RegisterAddress::parse(text, None).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.password.as_ref().map(|word| word.as_str()), password);
            assert!(!format!("{address:?}").contains("hunter"));
        };
        check("redis://host", "redis://host:6379/0", None);
        check("valkeys://ca:hunter%402@host:1/2?ca=/r.pem", "rediss://ca@host:1/2", Some("hunter@2"));
        check("redis://:hunter2@[::1]:7/", "redis://::1:7/0", Some("hunter2"));
        let given = RegisterAddress::parse("redis://host", Some("hunter2")).unwrap();
        assert_eq!(given.password.as_ref().map(|word| word.as_str()), Some("hunter2"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_password() {
        for text in [
            "hunter2",
            "http://:hunter2@host",
            "redis://:hunter2@",
            "redis://:hunter2%zz@host",
            "redis://:hunter2@host:x",
            "redis://:hunter2@host/x",
            "redis://:hunter2@host?ca=x",
            "rediss://:hunter2@host?cert=x",
        ] {
            let error = RegisterAddress::parse(text, None).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
        }
    }
}
