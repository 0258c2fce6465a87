//! Certification requests, sound and odd (RFC 2986).

use super::der;
use super::keys::Hash;
use super::keys::Key;
use super::keys::Kind;
use super::random::Random;

/// One attribute of a subject: object identifier, tag of the string, its octets.
pub(crate) type Attribute = (&'static str, u8, Vec<u8>);

/// What a request says.
#[derive(Debug, Clone)]
pub(crate) struct Csr {
    pub(crate) kind: Kind,
    pub(crate) hash: Hash,
    pub(crate) pss: bool,
    pub(crate) key_seed: u64,
    pub(crate) version: u8,
    /// Relative names, each of one or more attributes.
    pub(crate) subject: Vec<Vec<Attribute>>,
    /// General names: context tag and content.
    pub(crate) names: Vec<(u8, Vec<u8>)>,
    /// More requested extensions: object identifier, critical, value.
    pub(crate) extensions: Vec<(&'static str, bool, Vec<u8>)>,
    /// More attributes, whole.
    pub(crate) attributes: Vec<Vec<u8>>,
    /// Whether the requested extensions stand in an attribute each.
    pub(crate) split: bool,
    /// Whether the field of the attributes is there.
    pub(crate) attributes_field: bool,
    /// Octets of what is signed that are changed: where, and by which bits.
    pub(crate) noise: Vec<(usize, u8)>,
    /// Whether the signature is broken.
    pub(crate) corrupt: bool,
    /// Octets behind the request.
    pub(crate) trailing: Vec<u8>,
}

/// extensionRequest (RFC 2985 section 5.4.2).
const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";

impl Csr {
    /// The request, DER.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let key = Key::new(self.kind, &mut Random::new(self.key_seed));
        let subject = self.subject.iter().map(|relative| {
            let attributes: Vec<_> = relative
                .iter()
                .map(|(oid, tag, value)| der::sequence(&[der::oid(oid), der::element(*tag, value)]))
                .collect();
            der::set(&attributes)
        });
        let mut fields = vec![
            der::small_integer(self.version),
            der::sequence(&subject.collect::<Vec<_>>()),
            key.public.clone(),
        ];
        if self.attributes_field {
            fields.push(der::element(0xa0, &self.all_attributes().concat()));
        }
        let mut info = der::sequence(&fields);
        for (at, bits) in &self.noise {
            let length = info.len();
            info[at % length] ^= bits;
        }
        let (algorithm, mut signature) = key.sign(self.hash, self.pss, &info);
        if self.corrupt {
            *signature.last_mut().unwrap() ^= 1;
        }
        let mut request = der::sequence(&[info, algorithm, der::bit_string(&signature)]);
        request.extend(&self.trailing);
        request
    }

    fn all_attributes(&self) -> Vec<Vec<u8>> {
        let mut extensions = Vec::new();
        if !self.names.is_empty() {
            let names: Vec<_> = self.names.iter().map(|(tag, value)| der::element(*tag, value)).collect();
            extensions.push(extension(SUBJECT_ALT_NAME, self.subject.is_empty(), &der::sequence(&names)));
        }
        extensions
            .extend(self.extensions.iter().map(|(oid, critical, value)| extension(oid, *critical, value)));
        let mut attributes = Vec::new();
        if self.split {
            attributes.extend(extensions.iter().map(|one| request_of(std::slice::from_ref(one))));
        } else if !extensions.is_empty() {
            attributes.push(request_of(&extensions));
        }
        attributes.extend(self.attributes.iter().cloned());
        attributes
    }
}

fn request_of(extensions: &[Vec<u8>]) -> Vec<u8> {
    der::sequence(&[der::oid(EXTENSION_REQUEST), der::set(&[der::sequence(extensions)])])
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(oid)];
    if critical {
        parts.push(vec![0x01, 0x01, 0xff]);
    }
    parts.push(der::octet_string(value));
    der::sequence(&parts)
}
