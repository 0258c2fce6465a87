//! Bodies, good and bad, for every route that reads one.

use serde_json::Value;
use serde_json::json;

use crate::desk::Desk;

/// A kind of body. Each is made afresh for a request, since a token is good once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    Empty,
    /// What is no object, or none that anybody can read.
    Raw(&'static str),
    /// Not UTF-8.
    Binary,
    /// Longer than a body may be.
    Huge,
    /// Nested deeper than a body may be.
    Deep,
    /// Good for `/sign`.
    Sign,
    /// The same without one member.
    SignWithout(&'static str),
    /// The same with another value for one member.
    SignWith(&'static str, Odd),
    /// Good for `/sign` but for its token.
    SignToken(Fault),
    /// Good for `/rekey`.
    Rekey,
    /// A request whose signature is wrong.
    BrokenRequest,
    /// Good for `/revoke`.
    Revoke,
    /// The same without one member.
    RevokeWithout(&'static str),
    /// The same with another value for one member.
    RevokeWith(&'static str, Odd),
    /// Good for `/revoke` but for its token.
    RevokeToken(Fault),
    /// Good for `/revoke` by the certificate that is shown.
    RevokeOwn,
    /// That for another serial number.
    RevokeOther,
}

/// A value of the wrong kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    Null,
    Number,
    List,
    Object,
    Text,
    False,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Spent,
    Expired,
    Early,
    OtherAudience,
    OtherKey,
    NoAlgorithm,
    UnknownProvisioner,
    Cut,
}

const FAULTS: [Fault; 8] = [
    Fault::Spent,
    Fault::Expired,
    Fault::Early,
    Fault::OtherAudience,
    Fault::OtherKey,
    Fault::NoAlgorithm,
    Fault::UnknownProvisioner,
    Fault::Cut,
];

const ODD: [Odd; 6] = [Odd::Null, Odd::Number, Odd::List, Odd::Object, Odd::Text, Odd::False];

impl Odd {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Number => 7.into(),
            Self::List => json!(["x"]),
            Self::Object => json!({ "x": 1 }),
            Self::Text => "no such thing".into(),
            Self::False => false.into(),
        }
    }
}

impl Body {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Empty, Self::Binary, Self::Huge, Self::Deep];
        all.extend(
            ["null", "{}", "[]", "7", "\"x\"", "true", "{", "{}{}", "\u{feff}{}", "csr=x&ott=y"]
                .map(Self::Raw),
        );
        all.extend([
            Self::Sign,
            Self::Rekey,
            Self::BrokenRequest,
            Self::Revoke,
            Self::RevokeOwn,
            Self::RevokeOther,
        ]);
        for member in ["csr", "ott"] {
            all.push(Self::SignWithout(member));
            all.extend(ODD.map(|odd| Self::SignWith(member, odd)));
        }
        for member in ["notBefore", "notAfter"] {
            all.extend(
                [Odd::Number, Odd::List, Odd::Object, Odd::Text, Odd::False]
                    .map(|odd| Self::SignWith(member, odd)),
            );
        }
        for member in ["serial", "ott", "passive"] {
            all.push(Self::RevokeWithout(member));
            all.extend(ODD.map(|odd| Self::RevokeWith(member, odd)));
        }
        all.extend([Odd::List, Odd::Object, Odd::Text].map(|odd| Self::RevokeWith("reasonCode", odd)));
        all.extend(FAULTS.map(Self::SignToken));
        all.extend(FAULTS.map(Self::RevokeToken));
        all
    }

    /// `/sign` has to say yes.
    pub(crate) fn is_request_to_sign(self) -> bool {
        self == Self::Sign
    }

    /// `/rekey` has to say yes to a client with a certificate: it reads nothing but `csr`.
    pub(crate) fn has_request(self) -> bool {
        match self {
            Self::Sign | Self::Rekey | Self::SignToken(_) => true,
            Self::SignWithout(member) | Self::SignWith(member, _) => member != "csr",
            _ => false,
        }
    }

    /// `/revoke` has to say yes to anybody.
    pub(crate) fn revokes_by_token(self) -> bool {
        self == Self::Revoke
    }

    /// `/revoke` has to say yes to the client whose certificate it is.
    pub(crate) fn revokes_itself(self) -> bool {
        self == Self::RevokeOwn
    }

    /// The bytes; `own` is the serial number of the client's certificate.
    pub(crate) fn bytes(self, desk: &Desk, own: &str) -> Vec<u8> {
        let with = |mut body: Value, member: &str, odd: Odd| {
            body[member] = odd.value();
            body
        };
        let without = |mut body: Value, member: &str| {
            body.as_object_mut().unwrap().remove(member).unwrap();
            body
        };
        let value = match self {
            Self::Empty => return Vec::new(),
            Self::Raw(text) => return text.as_bytes().to_vec(),
            Self::Binary => return vec![0xff, 0xfe, 0, 0x80],
            Self::Huge => return vec![b' '; stepless::http::MAX_BODY + 1],
            Self::Deep => return "[".repeat(20_000).into_bytes(),
            Self::Sign => desk.sign_body(None),
            Self::SignWithout(member) => without(desk.sign_body(None), member),
            Self::SignWith(member, odd) => with(desk.sign_body(None), member, odd),
            Self::SignToken(fault) => desk.sign_body(Some(fault)),
            Self::Rekey => json!({ "csr": desk.csr.pem }),
            Self::BrokenRequest => json!({ "csr": desk.broken_csr, "ott": desk.sign_token(None) }),
            Self::Revoke => desk.revoke_body(None),
            Self::RevokeWithout(member) => without(desk.revoke_body(None), member),
            Self::RevokeWith(member, odd) => with(desk.revoke_body(None), member, odd),
            Self::RevokeToken(fault) => desk.revoke_body(Some(fault)),
            Self::RevokeOwn => json!({ "serial": own, "passive": true }),
            Self::RevokeOther => json!({ "serial": "12345", "passive": true }),
        };
        value.to_string().into_bytes()
    }
}
