//! The text of ca.json, checked as far as that goes without other files.

use zeroize::Zeroizing;

use crate::config::Contradiction;
use crate::config::DEFAULT_OID_ARC;
use crate::config::EffectiveClaims;
use crate::config::Error;
use crate::config::claims::Claims;
use crate::config::crl;
use crate::config::crl::CrlOptions;
use crate::config::database;
use crate::config::database::Database;
use crate::config::provisioner;
use crate::config::provisioner::ProvisionerEntry;
use crate::config::reader::Object;
use crate::config::tls;
use crate::config::unoffered;
use crate::duration::GoDuration;
use crate::json;
use crate::policy::NamePolicy;
use crate::policy::Rules;
use crate::wire::TlsOptions;
use crate::x509::name::Subject;
use crate::x509::oid::Oid;

/// A password that stands in ca.json: wiped when dropped, shown by no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &Zeroizing<String> {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// What ca.json says, with defaults filled in.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaJson {
    /// Files with root certificates, in order.
    pub root: Vec<String>,
    /// Files with federated roots.
    pub federated_roots: Vec<String>,
    /// The file with the issuing certificate and the rest of the chain.
    pub crt: String,
    /// The file with the issuing key.
    pub key: String,
    /// Where to listen, `host:port`; an empty host is every address.
    pub address: String,
    /// Where to serve the CRL over plain HTTP, `host:port`; empty for nowhere.
    pub insecure_address: String,
    /// Names and addresses of the authority, for its TLS certificate and for audiences.
    pub dns_names: Vec<String>,
    /// The common name of the authority's TLS certificate.
    pub common_name: String,
    /// The key's password, if it stands in the file.
    pub password: Option<Password>,
    /// The `tls` block.
    pub tls: TlsOptions,
    /// The `db` block.
    pub database: Option<Database>,
    /// The `crl` block, if it is enabled.
    pub crl: Option<CrlOptions>,
    /// The header that may name a request, from `logger.traceHeader`.
    pub trace_header: Option<String>,
    /// The format of the request log, in lower case: `text`, `json`, `common` or empty; `None` without a `logger`.
    pub log_format: Option<String>,
    /// Claims of the authority over the built-in ones.
    pub claims: EffectiveClaims,
    /// How far a certificate begins before it is issued.
    pub backdate: GoDuration,
    /// Attributes of the subject that certificates get where they have none, from `authority.template`.
    pub default_subject: Subject,
    /// `authority.policy.x509`, if there is one.
    pub policy: Option<NamePolicy>,
    /// Whether tokens from before the authority's start are taken.
    pub disable_issued_at_check: bool,
    /// The address of a register of spent tokens, from `authority.tokenRegister`, which step-ca ignores. A password may
    /// stand in it.
    pub token_register: Option<Password>,
    /// The arc below which the grant extensions stand.
    pub oid_arc: Oid,
    /// The provisioners of type JWK and X5C in order.
    pub provisioners: Vec<ProvisionerEntry>,
    /// What is configured and not offered, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads and checks the text of a ca.json.
///
/// # Errors
///
/// [`Error::Json`], [`Error::Value`] or [`Error::Invalid`] name the member at fault.
pub fn parse(bytes: &[u8]) -> Result<CaJson, Error> {
    let text = String::from_utf8_lossy(bytes);
    // step-ca's decoder does not look behind the object.
    let (raw, _) = json::parse_prefix(&text)?;
    let root = Object::new("", raw)?;
    let authority = root.object("authority")?;
    let mut warnings = Vec::new();

    let dns_names = match root.field("dnsNames") {
        Some(_) => root.strings("dnsNames")?,
        None => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
    };
    let logger = root.object("logger")?;
    let mut ca = CaJson {
        root: root.one_or_more("root")?,
        federated_roots: root.one_or_more("federatedRoots")?,
        crt: root.text("crt")?,
        key: root.text("key")?,
        address: root.text("address")?,
        insecure_address: root.text("insecureAddress")?,
        crl: crl::read(&root, &dns_names)?,
        dns_names,
        common_name: root
            .string("commonName")?
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "Step Online CA".to_owned()),
        password: root.string("password")?.filter(|p| !p.is_empty()).map(|p| Password(Zeroizing::new(p))),
        tls: tls::read(&root)?,
        database: database::read(&root)?,
        trace_header: match &logger {
            Some(logger) => logger.string("traceHeader")?.filter(|name| !name.is_empty()),
            None => None,
        },
        log_format: logger.as_ref().map(log_format).transpose()?,
        claims: EffectiveClaims::BUILT_IN,
        backdate: GoDuration::from_seconds(60),
        default_subject: Subject::default(),
        policy: None,
        disable_issued_at_check: false,
        token_register: match &authority {
            Some(authority) => authority.string("tokenRegister")?.map(|url| Password(Zeroizing::new(url))),
            None => None,
        },
        oid_arc: arc(authority.as_ref())?,
        provisioners: Vec::new(),
        warnings: Vec::new(),
    };
    check_presence(&ca)?;
    unoffered::check(&root, authority.as_ref(), &mut warnings)?;
    if let Some(authority) = &authority {
        if let Some(claims) = Claims::read(authority)? {
            ca.claims = claims.over(&EffectiveClaims::BUILT_IN).map_err(invalid)?;
        }
        if let Some(backdate) = authority.duration("backdate")? {
            if backdate < GoDuration::ZERO {
                return Err(Error::Invalid("authority.backdate cannot be less than 0".to_owned()));
            }
            ca.backdate = backdate;
        }
        ca.default_subject = default_subject(authority)?;
        ca.policy = policy(authority)?;
        ca.disable_issued_at_check = authority.bool("disableIssuedAtCheck")?.unwrap_or(false);
        ca.provisioners = provisioner::read_all(authority, &ca.claims, &ca.oid_arc, &mut warnings)?;
    }
    ca.warnings = warnings;
    Ok(ca)
}

fn invalid(contradiction: Contradiction) -> Error {
    Error::Invalid(format!("authority: {contradiction}"))
}

fn check_presence(ca: &CaJson) -> Result<(), Error> {
    let missing = |what: &str| Err(Error::Invalid(format!("{what} cannot be empty")));
    if ca.address.is_empty() {
        return missing("address");
    }
    if ca.root.is_empty() || ca.root.iter().any(String::is_empty) {
        return missing("root");
    }
    if ca.crt.is_empty() {
        return missing("crt");
    }
    if ca.key.is_empty() {
        return missing("key");
    }
    if ca.dns_names.is_empty() || ca.dns_names.iter().any(String::is_empty) {
        return missing("dnsNames");
    }
    for address in [&ca.address, &ca.insecure_address] {
        if !address.is_empty() && !is_address(address) {
            return Err(Error::Invalid(format!("invalid address {address}")));
        }
    }
    // Without one, revocations would be forgotten at the next start and numbers begin anew.
    if ca.crl.is_some() && ca.database.is_none() {
        return Err(Error::Invalid("crl.enabled needs a database: db cannot be empty".to_owned()));
    }
    Ok(())
}

/// Whether `text` is a host, possibly empty, and a port.
fn is_address(text: &str) -> bool {
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(_))) => !host.contains(':') || (host.starts_with('[') && host.ends_with(']')),
        _ => false,
    }
}

/// `logger.format`; step-ca refuses what it does not know as well.
fn log_format(logger: &Object<'_>) -> Result<String, Error> {
    let format = logger.text("format")?;
    match format.to_ascii_lowercase() {
        known if ["", "text", "json", "common"].contains(&known.as_str()) => Ok(known),
        _ => Err(Error::Invalid(format!("unsupported logger.format '{format}'"))),
    }
}

fn arc(authority: Option<&Object<'_>>) -> Result<Oid, Error> {
    let text = match authority {
        Some(authority) => authority.string("oidArc")?,
        None => None,
    };
    Oid::parse(text.as_deref().unwrap_or(DEFAULT_OID_ARC)).map_err(|_| Error::Value {
        place: "authority.oidArc".to_owned(),
        reason: format!("{:?} is no object identifier", text.unwrap_or_default()),
    })
}

/// The `authority.template` block: one text an attribute, empty ones are absent.
fn default_subject(authority: &Object<'_>) -> Result<Subject, Error> {
    let Some(template) = authority.object("template")? else { return Ok(Subject::default()) };
    let list =
        |field: &str| template.text(field).map(|text| Vec::from_iter((!text.is_empty()).then_some(text)));
    Ok(Subject {
        country: list("country")?,
        organization: list("organization")?,
        organizational_unit: list("organizationalUnit")?,
        locality: list("locality")?,
        province: list("province")?,
        street_address: list("streetAddress")?,
        serial_number: template.text("serialNumber")?,
        common_name: template.text("commonName")?,
        ..Subject::default()
    })
}

fn policy(authority: &Object<'_>) -> Result<Option<NamePolicy>, Error> {
    let Some(policy) = authority.object("policy")? else { return Ok(None) };
    let Some(x509) = policy.object("x509")? else { return Ok(None) };
    let rules = |field: &str| -> Result<Rules, Error> {
        let Some(rules) = x509.object(field)? else { return Ok(Rules::default()) };
        Ok(Rules {
            cn: rules.strings("cn")?,
            dns: rules.strings("dns")?,
            ip: rules.strings("ip")?,
            email: rules.strings("email")?,
            uri: rules.strings("uri")?,
        })
    };
    let wildcards = x509.bool("allowWildcardNames")?.unwrap_or(false);
    NamePolicy::new(&rules("allow")?, &rules("deny")?, wildcards)
        .map(Some)
        .map_err(|error| Error::Value { place: "authority".to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"root":"r","crt":"c","key":"k","address":":9000"}"#;

    /// `SMALL` with `members` put in front, whose members therefore count last.
    fn with(members: &str) -> String {
        SMALL.replacen('}', &format!(",{members}}}"), 1)
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(
            parse(text.as_bytes()).err().map(|e| e.to_string()).unwrap_or_default(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn defaults_are_step_cas() {
        let ca = parse(SMALL.as_bytes()).unwrap();
        assert_eq!(ca.dns_names, ["localhost", "127.0.0.1", "::1"]);
        assert_eq!((ca.common_name.as_str(), ca.backdate.to_string().as_str()), ("Step Online CA", "1m0s"));
        assert_eq!((ca.tls.min_version, ca.tls.max_version), (1.2, 1.3));
        assert!(ca.provisioners.is_empty());
        assert_eq!(ca.oid_arc.to_string(), DEFAULT_OID_ARC);
    }

    #[test]
    fn roots_of_x5c_are_pem_in_base64() {
        let text = |roots: &str| {
            with(&format!(
                r#""authority":{{"provisioners":[{{"type":"x5c","name":"p","roots":"{roots}"}}]}}"#
            ))
        };
        let fault =
            |reason: &str| format!("error parsing ca.json: authority.provisioners[0].roots: {reason}");
        check(&text(""), &fault("provisioner root(s) cannot be empty"));
        check(&text("!"), &fault("not PEM in base64"));
        check(&text("bm90aGluZw=="), &fault("no x509 certificates found"));
    }

    #[test]
    fn a_crl_has_defaults() {
        let db = r#""db":{"type":"sqlite","dataSource":"x"}"#;
        let crl = |members: &str| {
            let ca = parse(with(&format!(r#"{db},"crl":{{{members}}}"#)).as_bytes()).unwrap();
            let text =
                |crl: CrlOptions| format!("{} {} {}", crl.cache_duration, crl.renew_period, crl.idp_url);
            ca.crl.map(text)
        };
        assert_eq!(crl(""), None);
        let expected = "24h0m0s 16h0m0s https://localhost/1.0/crl";
        assert_eq!(crl(r#""enabled":true"#).as_deref(), Some(expected));
        let members = r#""enabled":true,"cacheDuration":"1h","renewPeriod":"1m","idpURL":"http://c/crl""#;
        assert_eq!(crl(members).as_deref(), Some("1h0m0s 1m0s http://c/crl"));
    }

    #[test]
    fn names_match_without_case_and_text_behind_is_not_read() {
        let ca = parse(br#"{"ROOT":["a","b"],"Crt":"c","KEY":"k","Address":"[::1]:1","nope":1} trailing"#);
        assert_eq!(ca.unwrap().root, ["a", "b"]);
    }

    #[test]
    fn faults_are_named() {
        check(SMALL, "");
        check("{", "error parsing ca.json: unexpected end of JSON input");
        check(&with(r#""root":"""#), "root cannot be empty");
        check(&with(r#""root":["r",""]"#), "root cannot be empty");
        check(&with(r#""address":"""#), "address cannot be empty");
        check(&with(r#""address":"127.0.0.1""#), "invalid address 127.0.0.1");
        check(&with(r#""address":"::1:9""#), "invalid address ::1:9");
        check(&with(r#""insecureAddress":"nope""#), "invalid address nope");
        check(&with(r#""crl":{"enabled":true}"#), "crl.enabled needs a database: db cannot be empty");
        check(
            &with(r#""crl":{"cacheDuration":"-1s"}"#),
            "crl.cacheDuration must be greater than or equal to 0",
        );
        check(
            &with(r#""crl":{"cacheDuration":"1h","renewPeriod":"2h"}"#),
            "crl.cacheDuration must be greater than or equal to crl.renewPeriod",
        );
        check(&with(r#""dnsNames":[""]"#), "dnsNames cannot be empty");
        check(&with(r#""dnsNames":[]"#), "dnsNames cannot be empty");
        check(&with(r#""logger":{"format":"xml"}"#), "unsupported logger.format 'xml'");
        check(
            &with(r#""tls":{"minVersion":1.3,"maxVersion":1.2}"#),
            "tls minVersion cannot exceed tls maxVersion",
        );
        check(
            &with(r#""tls":{"cipherSuites":["NOPE"]}"#),
            "error parsing ca.json: tls.cipherSuites: cipher suite \"NOPE\" is unknown",
        );
        check(&with(r#""authority":{"backdate":"-1m"}"#), "authority.backdate cannot be less than 0");
        check(&with(r#""db":{"type":"x"}"#), "Error opening database of Type x: x database not supported");
        check(
            &with(r#""authority":{"oidArc":"1.x"}"#),
            "error parsing ca.json: authority.oidArc: \"1.x\" is no object identifier",
        );
        check(
            &with(r#""authority":{"claims":{"minTLSCertDuration":"1 h"}}"#),
            "error parsing ca.json: authority.claims.minTLSCertDuration: invalid duration \"1 h\"",
        );
        check(
            &with(r#""dnsNames":[1]"#),
            "error parsing ca.json: cannot read dnsNames[0]: expected string, got number",
        );
    }

    #[test]
    fn a_password_is_not_shown() {
        let ca = parse(with(r#""password":"hunter2""#).as_bytes()).unwrap();
        assert_eq!(ca.password.as_ref().map(|p| p.expose().as_str()), Some("hunter2"));
        assert!(!format!("{ca:?}").contains("hunter2"));
    }
}
