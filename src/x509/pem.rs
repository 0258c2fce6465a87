//! PEM text, read as Go's encoding/pem reads it (CONTRACT.md section 5), and written in 64 columns.
//!
//! Text around the blocks, CRLF, any line length, PEM headers, and blanks at line ends or between the
//! base64 characters are fine. A block whose END does not fit its BEGIN, or whose base64 is broken, is
//! passed over as if it were text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose;
use zeroize::Zeroizing;

/// One block: label, headers, decoded content.
///
/// The content is wiped when dropped, since it may be a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// The text between `BEGIN ` and `-----`.
    pub label: String,
    /// `Name: value` lines before the base64, in order (RFC 1421 section 4.6).
    pub headers: Vec<(String, String)>,
    /// The decoded bytes; possibly none.
    pub content: Zeroizing<Vec<u8>>,
}

impl Block {
    /// The value of a header; the last one counts if it is repeated, as in Go.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {} bytes)", self.label, self.content.len())
    }
}

/// The blocks of a text, one after another.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Begins at the start of `text`.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The text after the last block returned, beginning on a new line.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        // Each round looks for the next END line and gives up the text before it, so the work is linear.
        let text = self.rest;
        let mut from = 0;
        loop {
            let end = from + find(text.get(from..)?, END)?;
            let after_end = end + END.len();
            let block = rfind(text.get(from..end)?, BEGIN)
                .map(|begin| from + begin)
                .filter(|begin| begin.checked_sub(1).is_none_or(|before| text.get(before) == Some(&b'\n')))
                .and_then(|begin| read_block(text, begin + BEGIN.len(), end));
            if let Some(block) = block {
                self.rest = next_line(text.get(after_end..)?).1;
                return Some(block);
            }
            from = after_end;
        }
    }
}

/// Reads the first block of a text.
#[must_use]
pub fn decode_first(text: &str) -> Option<Block> {
    Blocks::new(text.as_bytes()).next()
}

/// Writes one block in lines of 64 characters, with a final newline (RFC 7468 section 2).
#[must_use]
pub fn encode(label: &str, content: &[u8]) -> String {
    encode_with_headers(label, &[], content)
}

/// Writes one block with `Name: value` headers and an empty line after them (RFC 1421 section 4.4).
#[must_use]
pub fn encode_with_headers(label: &str, headers: &[(&str, &str)], content: &[u8]) -> String {
    let base64 = Zeroizing::new(general_purpose::STANDARD.encode(content));
    // Reserved at once, so that no copy of a private key is left behind by growth.
    let mut text = String::with_capacity(base64.len() + base64.len() / 64 + 256);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if !headers.is_empty() {
        text.push('\n');
    }
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Reads the block whose label begins at `start` and whose END line's newline is at `end`.
fn read_block(text: &[u8], start: usize, end: usize) -> Option<Block> {
    // The newline at `end` belongs to the last line of the block, or to the BEGIN line if it is empty.
    let (label, mut body) = next_line(text.get(start..=end)?);
    let label = label.strip_suffix(DASHES)?;

    let mut headers = Vec::new();
    loop {
        let (line, next) = next_line(body);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let (name, value) = line.split_at(colon);
        headers.push((trimmed_text(name), trimmed_text(value.get(1..)?)));
        body = next;
    }
    if !headers.is_empty() && body.is_empty() {
        return None;
    }

    let (trailer, _) = next_line(text.get(end + END.len()..)?);
    if trailer.strip_suffix(DASHES) != Some(label) {
        return None;
    }

    let base64: Zeroizing<Vec<u8>> = Zeroizing::new(
        body.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect(),
    );
    Some(Block {
        label: String::from_utf8_lossy(label).into_owned(),
        headers,
        content: Zeroizing::new(LENIENT.decode(base64.as_slice()).ok()?),
    })
}

/// Splits off the first line, without its line end and trailing blanks. A CR counts only before an LF.
fn next_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let (line, rest) = text.split_at(at);
            (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
        }
        None => (text, &[][..]),
    };
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line = line.get(..line.len() - blanks).unwrap_or_default();
    (line, rest)
}

fn trimmed_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|part| part == pattern)
}

fn rfind(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).rposition(|part| part == pattern)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// Go's base64: padding required, unused bits ignored.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all blocks: label and content of each.
    fn check(text: &str, expected: &[(&str, &[u8])]) {
        let blocks: Vec<_> = Blocks::new(text.as_bytes()).collect();
        let got: Vec<_> =
            blocks.iter().map(|block| (block.label.as_str(), block.content.as_slice())).collect();
        assert_eq!(got, expected, "{text:?}");
    }

    const ABC: &[(&str, &[u8])] = &[("X", b"abc")];

    #[test]
    fn tolerated_shapes() {
        check("-----BEGIN X-----\nYWJj\n-----END X-----\n", ABC);
        check("-----BEGIN X-----\nYWJj\n-----END X-----", ABC);
        check("-----BEGIN X-----\r\nYW\r\nJj\r\n-----END X-----\r\n", ABC);
        check("text\n-----BEGIN X-----\nYWJj\n-----END X-----\ntext", ABC);
        check("-----BEGIN X----- \t\nY W\tJj  \n\n-----END X-----\t ", ABC);
        check("-----BEGIN X-----\nA: b\n\nYWJj\n-----END X-----\n", ABC);
        check("-----BEGIN X-----\nA: b\nYWJj\n-----END X-----\n", ABC);
        check("-----BEGIN X-----\n-----END X-----\n", &[("X", b"")]);
        // An earlier BEGIN without END is text.
        check("-----BEGIN Y-----\n-----BEGIN X-----\nYWJj\n-----END X-----\n", ABC);
        // Unused bits are ignored.
        check("-----BEGIN X-----\nYR==\n-----END X-----\n", &[("X", b"a")]);
    }

    #[test]
    fn refused_shapes() {
        check("", &[]);
        check("YWJj", &[]);
        check("-----BEGIN X-----\nYWJj\n", &[]);
        check("-----BEGIN X-----\nYWJj\n-----END Y-----\n", &[]);
        check("-----BEGIN X-----\nYWJj\n-----END X----\n", &[]);
        check("-----BEGIN X-----\nYWJj\n-----END X-----x\n", &[]);
        check("-----BEGIN X-----\nYWJj\n-----END X-----\r", &[]);
        check(" -----BEGIN X-----\nYWJj\n-----END X-----\n", &[]);
        check("-----BEGIN X-----\nYWJj\n -----END X-----\n", &[]);
        check("-----BEGIN X-----\rYWJj\r-----END X-----\r", &[]);
        check("-----BEGIN X\nYWJj\n-----END X-----\n", &[]);
        check("-----BEGIN X-----\nYW-_\n-----END X-----\n", &[]);
        check("-----BEGIN X-----\nYWI\n-----END X-----\n", &[]);
        check("-----BEGIN X-----\nYQ==YQ==\n-----END X-----\n", &[]);
        check("-----BEGIN X-----\nA: b\n-----END X-----\n", &[]);
    }

    #[test]
    fn several_blocks() {
        let two = "-----BEGIN X-----\nYWJj\n-----END X-----\n";
        check(&two.repeat(2), &[("X", b"abc"), ("X", b"abc")]);
        let broken = "-----BEGIN X-----\n!\n-----END X-----\n";
        check(&format!("{broken}{two}"), ABC);
        let mut blocks = Blocks::new(b"-----BEGIN X-----\nYWJj\n-----END X----- \nrest");
        assert!(blocks.next().is_some());
        assert_eq!(blocks.rest(), b"rest");
    }

    #[test]
    fn headers_are_read() {
        let text = "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\nA:  b \nA: c\n\nYWJj\n-----END X-----";
        let block = decode_first(text).unwrap();
        assert_eq!(block.header("Proc-Type"), Some("4,ENCRYPTED"));
        assert_eq!(block.header("A"), Some("c"));
        assert_eq!(block.header("B"), None);
        assert_eq!(format!("{block:?}"), "Block(X, 3 bytes)");
    }

    #[test]
    fn written_blocks_read_back() {
        for len in [0, 1, 47, 48, 49, 1000] {
            let content = vec![7; len];
            let text = encode("X", &content);
            check(&text, &[("X", &content)]);
            assert!(text.lines().all(|line| line.len() <= 64));
            let text = encode_with_headers("X", &[("A", "b")], &content);
            check(&text, &[("X", &content)]);
        }
        assert_eq!(
            encode_with_headers("X", &[("A", "b")], b"abc"),
            "-----BEGIN X-----\nA: b\n\nYWJj\n-----END X-----\n"
        );
    }

    #[test]
    fn many_broken_blocks_take_linear_time() {
        let text = "-----BEGIN X-----\n-----END Y-----\n".repeat(30_000);
        check(&text, &[]);
    }
}
