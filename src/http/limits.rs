//! What one server lets its clients have: connections, time, memory, requests.
//!
//! The defaults are for a machine with one or two cores. What is held at the worst, for each connection: its TLS and HTTP
//! state (about 50 KiB), a header that is coming and one that has come (1 MiB each, as in step-ca), 64 KiB of bodies
//! that nobody has read yet, and the beginning of one that somebody has (32 KiB); beyond these only the large bodies,
//! 1 MiB each. Nobody but an attacker comes near: a connection that waits takes 30 to 60 KiB. step-ca has none of these
//! limits but the times and the header.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// The largest header section, in bytes (CONTRACT.md section 1).
pub(super) const MAX_HEADER: usize = 1 << 20;

/// How much of a body is read before it counts as a large one, in bytes. A request for a certificate has about 3 KiB.
pub(super) const SMALL_BODY: usize = 16 << 10;

/// Limits of a server. Numbers are at least 1 in effect.
///
/// # Examples
///
/// ```
/// use stepless::http::Limits;
/// use stepless::http::RouterOptions;
///
/// let mut limits = Limits::default();
/// limits.requests = 16;
/// let options = RouterOptions::default().with_limits(limits);
/// assert_eq!(options.limits.requests, 16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in all, also the number of requests that are open at once.
    pub connections: usize,
    /// Connections of one IPv4 address, or of one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// The same for a loopback address. By default there is none: whoever connects from there is on this machine, and
    /// may be a proxy that speaks for everybody.
    pub connections_per_loopback_address: usize,
    /// TLS handshakes at once.
    pub handshakes: usize,
    /// Requests to sign, renew, rekey, revoke or list revocations that are worked on at once.
    pub requests: usize,
    /// How many such requests may wait for their turn.
    pub waiting_requests: usize,
    /// How long one may wait for it.
    pub wait: Duration,
    /// Bodies of more than 16 KiB that are held at once.
    pub large_bodies: usize,
    /// Streams of one HTTP/2 connection (RFC 9113 section 5.1.2 wants at least 100).
    pub streams: u32,
    /// How long a client may take for a handshake, a header, a body, between requests, or without taking an answer
    /// (CONTRACT.md section 1: 15 seconds).
    pub patience: Duration,
    /// Requests of one address, as [`connections_per_address`](Self::connections_per_address) counts them.
    pub rate_per_address: Option<Rate>,
    /// Certificates of one provisioner, issued for its tokens.
    pub rate_per_provisioner: Option<Rate>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            connections_per_address: 256,
            connections_per_loopback_address: usize::MAX,
            handshakes: 512,
            requests: 128,
            waiting_requests: 1024,
            wait: Duration::from_secs(1),
            large_bodies: 32,
            streams: 100,
            patience: Duration::from_secs(15),
            rate_per_address: None,
            rate_per_provisioner: None,
        }
    }
}

/// How often something may happen: so many a second on average, and so many at once.
///
/// Written `10` or `0.5`, and `10:50` with a burst of its own; else the burst is one second's, at least 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub(super) per_second: f64,
    pub(super) burst: f64,
}

/// Text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate: write how many a second, such as 10 or 0.5, or with a burst, 10:50")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let rate = || {
            let (per_second, burst) = match text.split_once(':') {
                Some((per_second, burst)) => (number(per_second)?, number(burst)?),
                None => (number(text)?, number(text)?.max(1.0)),
            };
            // Once in eleven days, and a burst that never fills again, are typing errors.
            (per_second >= 1e-6 && burst >= 1.0).then_some(Self { per_second, burst })
        };
        rate().ok_or_else(|| RateError(text.to_owned()))
    }
}

/// Whom an address stands for: an IPv4 address, or an IPv6 network of 64 bits, which is what a site gets at least
/// (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Site {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Site {
    pub(super) fn of(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let check = |text: &str, expected: Option<(f64, f64)>| {
            let rate = text.parse::<Rate>().ok().map(|rate| (rate.per_second, rate.burst));
            assert_eq!(rate, expected, "{text:?}");
        };
        check("10", Some((10.0, 10.0)));
        check("0.5", Some((0.5, 1.0)));
        check("10:50", Some((10.0, 50.0)));
        for text in ["", "0", "-1", "x", "10:", "10:0", "10:0.5", "inf", "NaN", "1e-9", "1:2:3", ":5"] {
            check(text, None);
        }
    }

    #[test]
    fn sites_are_told_apart() {
        let site = |text: &str| Site::of(text.parse().unwrap());
        assert_eq!(site("192.0.2.1:1"), site("[::ffff:192.0.2.1]:2"));
        assert_ne!(site("192.0.2.1:1"), site("192.0.2.2:1"));
        assert_eq!(site("[2001:db8:0:1::1]:1"), site("[2001:db8:0:1:ffff::2]:1"));
        assert_ne!(site("[2001:db8:0:1::1]:1"), site("[2001:db8:0:2::1]:1"));
    }
}
