//! New values for the keys that a Secret declares: made from random bytes, written, and forgotten.

use data_encoding::BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::kube::outcome::Fault;
use domain::evidence::SigningKey;
use domain::rotation::{Generated, GeneratedKind};

/// Letters and digits of a password: 32 of 62 are 190 bits.
const PASSWORD: usize = 32;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// How OpenSSH calls the kind of key.
const SSH: &str = "ssh-ed25519";

/// New values, in Base64, by key: the `data` of a Secret.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Values(Map<String, Value>);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// Makes them.
pub fn values(declared: &[Generated]) -> Result<Values, Fault> {
    let mut data = Map::new();
    for one in declared {
        let values = match one.kind {
            GeneratedKind::Password => vec![password()?],
            GeneratedKind::KeyPair => pem_pair(&random::<32>()?)?,
            GeneratedKind::SshKeyPair => ssh_pair(&random::<32>()?, random::<4>()?)?,
        };
        let values = values.into_iter().map(|value| BASE64.encode(value.as_bytes()).into());
        data.extend(one.keys.iter().cloned().zip(values));
    }
    Ok(Values(data))
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Fault::Transient { doing: "make a value", cause: "there are no random numbers".to_owned() })?;
    Ok(bytes)
}

/// Every letter as likely as any other: bytes beyond a multiple of 62 are thrown away.
fn password() -> Result<String, Fault> {
    let mut password = String::with_capacity(PASSWORD);
    while password.len() < PASSWORD {
        let letters = random::<64>()?.into_iter().filter(|byte| *byte < 248);
        let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)).copied().map(char::from));
        password.extend(letters.take(PASSWORD - password.len()));
    }
    Ok(password)
}

/// PKCS #8 and SubjectPublicKeyInfo, in PEM.
fn pem_pair(seed: &[u8; 32]) -> Result<Vec<String>, Fault> {
    let private = SigningKey::pem_of(seed);
    let public = SigningKey::from_pem(&private).map(|key| key.public().to_pem());
    let rejected = || Fault::Transient { doing: "make a key", cause: "it was rejected".to_owned() };
    Ok(vec![private, public.ok_or_else(rejected)?])
}

/// As `ssh-keygen` writes them (openssh-portable, PROTOCOL.key). `check` is any four bytes.
fn ssh_pair(seed: &[u8; 32], check: [u8; 4]) -> Result<Vec<String>, Fault> {
    let public = public(seed)?;
    let blob = [text(SSH.as_bytes()), text(&public)].concat();
    let mut private = [
        check.to_vec(),
        check.to_vec(),
        blob.clone(),
        text(&[seed.as_slice(), public.as_slice()].concat()),
        text(b""), // no comment
    ]
    .concat();
    private.extend((1..=8).take((8 - private.len() % 8) % 8));
    let none = text(b"none");
    let key = [
        b"openssh-key-v1\0".to_vec(),
        none.clone(), // no cipher
        none,         // no passphrase
        text(b""),
        1_u32.to_be_bytes().to_vec(),
        text(&blob),
        text(&private),
    ]
    .concat();
    let encoded = BASE64.encode(&key);
    let lines: Vec<String> =
        encoded.as_bytes().chunks(70).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let (begin, end) = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
    Ok(vec![format!("{begin}\n{}\n{end}\n", lines.join("\n")), format!("{SSH} {}\n", BASE64.encode(&blob))])
}

/// A string of SSH's wire format (RFC 4251, section 5).
fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}

fn public(seed: &[u8; 32]) -> Result<Vec<u8>, Fault> {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(seed);
    let pair = pair.map_err(|_| Fault::Transient { doing: "make a key", cause: "it was rejected".to_owned() })?;
    Ok(pair.public_key().as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn made(kind: GeneratedKind, keys: &[&str]) -> Vec<String> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let data = values(&[Generated { keys: keys.clone(), kind }]).unwrap().0;
        let value = |key: &String| BASE64.decode(data[key].as_str().unwrap().as_bytes()).unwrap();
        keys.iter().map(|key| String::from_utf8(value(key)).unwrap()).collect()
    }

    #[test]
    fn a_password_is_long_plain_and_another_each_time() {
        let all: std::collections::BTreeSet<String> =
            (0..50).map(|_| made(GeneratedKind::Password, &["password"]).remove(0)).collect();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|one| one.len() == PASSWORD && one.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        let letters: std::collections::BTreeSet<char> = all.iter().flat_map(|one| one.chars()).collect();
        assert_eq!(letters.len(), ALPHABET.len(), "of 1,600 letters each is there");
    }

    #[test]
    fn the_halves_of_a_key_pair_belong_together() {
        let pair = made(GeneratedKind::KeyPair, &["key.pem", "public.pem"]);
        let private = SigningKey::from_pem(&pair[0]).unwrap();
        let public = domain::evidence::PublicKey::from_pem(&pair[1]).unwrap();
        assert!(public.verifies("text", &private.sign("text")));
    }

    #[test]
    fn an_ssh_key_is_what_openssh_writes() {
        let seed = [7_u8; 32];
        let pair = ssh_pair(&seed, [1, 2, 3, 4]).unwrap();
        let blob = BASE64.decode(pair[1].trim().strip_prefix("ssh-ed25519 ").unwrap().as_bytes()).unwrap();
        let body: String = pair[0].lines().filter(|line| !line.starts_with("-----")).collect();
        let key = BASE64.decode(body.as_bytes()).unwrap();
        let at = |part: &[u8]| key.windows(part.len()).position(|window| window == part);
        assert!(key.starts_with(b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01"));
        assert_eq!(at(&text(&blob)), Some(15 + 8 + 8 + 4 + 4), "the public half in the clear");
        let whole = [seed.as_slice(), &public(&seed).unwrap()].concat();
        assert!(at(&text(&whole)).is_some(), "and both in the private part");
        let rest = key.len() - (15 + 8 + 8 + 4 + 4 + 4 + blob.len() + 4);
        assert_eq!(rest % 8, 0, "padded to the block of no cipher");
        // Where OpenSSH is installed, it has the last word.
        let file = std::env::temp_dir().join(format!("rollcall-ssh-{}", std::process::id()));
        std::fs::write(&file, &pair[0]).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let read = Command::new("ssh-keygen").args(["-y", "-f"]).arg(&file).stdin(Stdio::null()).output();
        std::fs::remove_file(&file).unwrap();
        match read {
            Ok(read) => assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), pair[1].trim()),
            Err(_) => std::io::stderr().write_all(b"ssh-keygen is not installed\n").unwrap(),
        }
    }
}
