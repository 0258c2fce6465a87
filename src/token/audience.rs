//! Audiences: for which service a token was made.
//!
//! Compared as URLs after dropping the port and lower-casing the scheme; host, path, query and user info
//! compare exactly. CONTRACT.md section 4, "Audience".

use crate::uri::Uri;

/// The audience that every step client of old wrote.
const LEGACY: &str = "step-certificate-authority";

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing a certificate. The paths of SSH signing count as such, as in step-ca.
    Sign,
    /// Renewing a certificate with a token. The legacy audience does not count.
    Renew,
    /// Revoking a certificate.
    Revoke,
    /// Anything that a step-ca offers: enough to look a provisioner up by a fragment.
    Any,
}

impl Purpose {
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Sign => &["/1.0/sign", "/sign", "/1.0/ssh/sign", "/ssh/sign"],
            Self::Renew => &["/1.0/renew", "/renew"],
            Self::Revoke => &["/1.0/revoke", "/revoke"],
            Self::Any => &[
                "/1.0/sign",
                "/sign",
                "/1.0/ssh/sign",
                "/ssh/sign",
                "/1.0/renew",
                "/renew",
                "/1.0/revoke",
                "/revoke",
                "/1.0/ssh/revoke",
                "/ssh/revoke",
                "/1.0/ssh/renew",
                "/ssh/renew",
                "/1.0/ssh/rekey",
                "/ssh/rekey",
            ],
        }
    }
}

/// The audiences that an authority answers to.
#[derive(Debug, Clone)]
pub struct Audiences {
    sign: Vec<Audience>,
    renew: Vec<Audience>,
    revoke: Vec<Audience>,
    any: Vec<Audience>,
}

impl Audiences {
    /// Audiences for the host names and addresses of ca.json's `dnsNames`.
    #[must_use]
    pub fn new(dns_names: &[String]) -> Self {
        Self {
            sign: accepted(Purpose::Sign, dns_names),
            renew: accepted(Purpose::Renew, dns_names),
            revoke: accepted(Purpose::Revoke, dns_names),
            any: accepted(Purpose::Any, dns_names),
        }
    }

    /// Whether one of `claimed` is for `purpose`. A fragment makes an audience another one.
    #[must_use]
    pub fn accept(&self, purpose: Purpose, claimed: &[String]) -> bool {
        self.accept_with_fragment(purpose, claimed, None)
    }

    /// Whether one of `claimed` is for `purpose` and carries exactly this fragment.
    #[must_use]
    pub fn accept_with_fragment(&self, purpose: Purpose, claimed: &[String], fragment: Option<&str>) -> bool {
        let accepted = match purpose {
            Purpose::Sign => &self.sign,
            Purpose::Renew => &self.renew,
            Purpose::Revoke => &self.revoke,
            Purpose::Any => &self.any,
        };
        // step-ca puts the fragment behind its own URLs and compares them as written, escapes included. The legacy
        // audience is no URL and takes none.
        let written = fragment.map(Audience::written);
        claimed.iter().any(|text| {
            let claimed = Audience::new(text);
            claimed.written_fragment() == written.as_deref()
                && (fragment.is_none() || text.split('#').next() != Some(LEGACY))
                && accepted.iter().any(|ours| ours.same_service(&claimed))
        })
    }
}

/// The first fragment among the audiences, which then names the provisioner as `<name>:<kid>`.
#[must_use]
pub fn fragment(claimed: &[String]) -> Option<String> {
    let mut marked = claimed.iter().filter(|text| text.contains('#'));
    marked.find_map(|text| Audience::new(text).fragment().map(str::to_owned))
}

/// One audience, cut into what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Audience {
    Url {
        service: String,
        fragment: Option<String>,
        /// The fragment with its escapes.
        written: Option<String>,
    },
    /// What is no URL is compared as text.
    Text(String),
}

impl Audience {
    fn new(text: &str) -> Self {
        let Ok(uri) = Uri::parse(text) else { return Self::Text(text.to_owned()) };
        let fragment = Some(uri.fragment().into_owned()).filter(|f| !f.is_empty());
        let whole = uri.to_string();
        let written = whole.split_once('#').map(|(_, written)| written.to_owned());
        Self::Url { service: uri.without_fragment().without_port().to_string(), fragment, written }
    }

    /// A fragment as a URL has it.
    fn written(fragment: &str) -> String {
        let uri = Uri::default().with_fragment(fragment).to_string();
        uri.trim_start_matches('#').to_owned()
    }

    fn written_fragment(&self) -> Option<&str> {
        match self {
            Self::Url { written, .. } => written.as_deref(),
            Self::Text(_) => None,
        }
    }

    fn fragment(&self) -> Option<&str> {
        match self {
            Self::Url { fragment, .. } => fragment.as_deref(),
            Self::Text(_) => None,
        }
    }

    fn same_service(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url { service: ours, .. }, Self::Url { service: theirs, .. }) => ours == theirs,
            (Self::Text(ours), Self::Text(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

fn accepted(purpose: Purpose, dns_names: &[String]) -> Vec<Audience> {
    let mut audiences = match purpose {
        Purpose::Renew => Vec::new(),
        Purpose::Sign | Purpose::Revoke | Purpose::Any => vec![Audience::new(LEGACY)],
    };
    for name in dns_names {
        let host =
            if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.clone() };
        audiences.extend(purpose.paths().iter().map(|path| Audience::new(&format!("https://{host}{path}"))));
    }
    audiences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claimed: &str, expected: bool) {
        let names = ["ca.example".to_owned(), "::1".to_owned()];
        let audiences = Audiences::new(&names);
        assert_eq!(audiences.accept(Purpose::Sign, &[claimed.to_owned()]), expected, "{claimed}");
    }

    #[test]
    fn ports_and_scheme_case_do_not_count() {
        check("step-certificate-authority", true);
        check("https://ca.example/1.0/sign", true);
        check("https://ca.example:9000/sign", true);
        check("https://ca.example:/sign", true);
        check("HTTPS://ca.example/1.0/ssh/sign", true);
        check("https://[::1]:9000/1.0/sign", true);
        check("https://ca.example/sign#", true);
    }

    #[test]
    fn everything_else_counts() {
        for other in [
            "",
            "Step-Certificate-Authority",
            "http://ca.example/1.0/sign",
            "https://CA.example/1.0/sign",
            "https://ca.example/1.0/sign/",
            "https://ca.example/1.0/sign?x",
            "https://ca.example/1.0/revoke",
            "https://u@ca.example/1.0/sign",
            "https://ca.example/1.0/sig%6e",
            "https://ca.example:x/1.0/sign",
            "https://[0:0::1]/1.0/sign",
            "https://ca.example/1.0/sign#p:k",
        ] {
            check(other, false);
        }
    }

    #[test]
    fn fragments_name_a_provisioner() {
        let claimed = ["https://ca.example/sign".to_owned(), "https://ca.example/sign#p:k".to_owned()];
        assert_eq!(fragment(&claimed).as_deref(), Some("p:k"));
        let audiences = Audiences::new(&["ca.example".to_owned()]);
        assert!(audiences.accept_with_fragment(Purpose::Sign, &claimed, Some("p:k")));
        assert!(!audiences.accept_with_fragment(Purpose::Sign, &claimed, Some("p:j")));
    }
}
