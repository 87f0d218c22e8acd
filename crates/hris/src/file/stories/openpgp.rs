//! Files that were encrypted and signed: by this library's other half, and by GnuPG.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use pgp::composed::{
    ArmorOptions, EncryptionCaps, KeyType, MessageBuilder, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::{CompressionAlgorithm, Password};
use rand::thread_rng;
use secrecy::ExposeSecret as _;

use super::*;

const TEXT: &str = "employeeId,fullName,email\n7,Ada Example,ada@example.com\n";
const LARGEST: usize = 8 * 1024 * 1024;

/// A key that certifies and signs, with one below it that is encrypted to.
fn key(lock: Option<&str>) -> SignedSecretKey {
    made(lock, KeyType::Ed25519, KeyType::X25519)
}

fn made(lock: Option<&str>, signs: KeyType, opens: KeyType) -> SignedSecretKey {
    let lock = lock.map(str::to_owned);
    let below = SubkeyParamsBuilder::default()
        .key_type(opens)
        .can_encrypt(EncryptionCaps::All)
        .passphrase(lock.clone())
        .build()
        .unwrap();
    let params = SecretKeyParamsBuilder::default()
        .key_type(signs)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("HR <hr@example.com>".to_owned())
        .passphrase(lock)
        .subkey(below)
        .build()
        .unwrap();
    params.generate(thread_rng()).unwrap()
}

fn armored(key: &SignedSecretKey) -> SecretString {
    SecretString::from(key.to_armored_string(ArmorOptions::default()).unwrap())
}

fn public(key: &SignedSecretKey) -> String {
    key.to_public_key().to_armored_string(ArmorOptions::default()).unwrap()
}

/// How a message is made.
struct Made<'a> {
    to: &'a SignedSecretKey,
    signed: Option<(&'a SignedSecretKey, HashAlgorithm)>,
    compressed: Option<CompressionAlgorithm>,
}

impl Made<'_> {
    fn of(&self, text: impl Into<Vec<u8>>) -> Vec<u8> {
        let mut builder =
            MessageBuilder::from_bytes("people.csv", text.into()).seipd_v1(thread_rng(), SymmetricKeyAlgorithm::AES256);
        builder.encrypt_to_key(thread_rng(), &self.to.secret_subkeys[0].public_key()).unwrap();
        if let Some((key, hash)) = self.signed {
            builder.sign(&key.primary_key, Password::empty(), hash);
        }
        if let Some(compression) = self.compressed {
            builder.compression(compression);
        }
        builder.to_vec(thread_rng()).unwrap()
    }
}

fn seal(keys: &[&SignedSecretKey], passphrase: &str, signers: &[String]) -> OpenPgp {
    let keys = keys.iter().map(|key| armored(key)).collect();
    OpenPgp { keys, passphrase: SecretString::from(passphrase), signers: signers.to_vec() }
}

fn open(seal: &OpenPgp, sealed: &[u8]) -> Result<(String, bool), Failure> {
    seal.check().map_err(Failure::NotOpened)?;
    let opened = seal.open(sealed, LARGEST)?;
    Ok((String::from_utf8(opened.bytes).unwrap(), opened.signed.is_some()))
}

fn not(why: &str) -> Result<(String, bool), Failure> {
    Err(Failure::NotOpened(why.to_owned()))
}

#[test]
fn a_file_is_opened_with_the_key_it_was_encrypted_to_and_signed_by_who_may_sign_it() {
    let (ours, before, theirs, stranger) = (key(None), key(None), key(None), key(None));
    let locked = key(Some("open"));
    let rsa = made(None, KeyType::Rsa(2048), KeyType::Rsa(2048));
    let to = |to| Made { to, signed: None, compressed: None };
    let by = |key, to| Made { to, signed: Some((key, HashAlgorithm::Sha256)), compressed: None };
    let packed = Made { compressed: Some(CompressionAlgorithm::ZLIB), ..by(&theirs, &ours) };
    let weak = Made { to: &ours, signed: Some((&rsa, HashAlgorithm::Sha1)), compressed: None };
    let signers = [public(&theirs)];
    let two = [public(&stranger), public(&theirs)];
    let (plain, signed) = (Ok((TEXT.to_owned(), false)), Ok((TEXT.to_owned(), true)));
    let wrong = "it is not encrypted to the key of decryption.keyRef, or the passphrase is wrong";
    let nobody = "it is signed by nobody in signedBy, or was changed since";
    for (situation, seal, sealed, expected) in [
        ("encrypted", seal(&[&ours], "", &[]), to(&ours).of(TEXT), plain.clone()),
        ("to the key before, in a rotation", seal(&[&ours, &before], "", &[]), to(&before).of(TEXT), plain.clone()),
        ("RSA", seal(&[&rsa], "", &[public(&rsa)]), by(&rsa, &rsa).of(TEXT), signed.clone()),
        ("to a locked key", seal(&[&locked], "open", &[]), to(&locked).of(TEXT), plain.clone()),
        ("to a locked key, another passphrase", seal(&[&locked], "shut", &[]), to(&locked).of(TEXT), not(wrong)),
        ("to another key", seal(&[&ours], "", &[]), to(&stranger).of(TEXT), not(wrong)),
        ("signed, and nobody asks", seal(&[&ours], "", &[]), by(&theirs, &ours).of(TEXT), plain),
        ("signed", seal(&[&ours], "", &signers), by(&theirs, &ours).of(TEXT), signed.clone()),
        ("signed by the second of two", seal(&[&ours], "", &two), by(&theirs, &ours).of(TEXT), signed.clone()),
        ("signed and compressed", seal(&[&ours], "", &signers), packed.of(TEXT), signed),
        ("not signed", seal(&[&ours], "", &signers), to(&ours).of(TEXT), not("it is not signed")),
        ("signed by a stranger", seal(&[&ours], "", &signers), by(&stranger, &ours).of(TEXT), not(nobody)),
        (
            "signed over SHA-1",
            seal(&[&ours], "", &[public(&rsa)]),
            weak.of(TEXT),
            not("its signature is over a digest that can be forged"),
        ),
        ("plain text", seal(&[&ours], "", &[]), TEXT.into(), not("it is no OpenPGP message")),
        ("nothing", seal(&[&ours], "", &[]), vec![], not("it is no OpenPGP message")),
        ("a key instead of a file", seal(&[&ours], "", &[]), public(&theirs).into(), not("it is no OpenPGP message")),
        ("signed in the open", seal(&[&ours], "", &signers), openly(&theirs), not("it is not encrypted")),
    ] {
        assert_eq!(open(&seal, &sealed), expected, "{situation}");
    }
}

/// A message that is signed, and that anybody can read.
fn openly(key: &SignedSecretKey) -> Vec<u8> {
    let mut builder = MessageBuilder::from_bytes("people.csv", TEXT.as_bytes());
    builder.sign(&key.primary_key, Password::empty(), HashAlgorithm::Sha256);
    builder.to_vec(thread_rng()).unwrap()
}

#[test]
fn what_was_changed_on_the_way_is_never_read() {
    let (ours, theirs) = (key(None), key(None));
    let seal = seal(&[&ours], "", &[public(&theirs)]);
    let sealed = Made { to: &ours, signed: Some((&theirs, HashAlgorithm::Sha256)), compressed: None }.of(TEXT);
    assert!(open(&seal, &sealed).is_ok());
    for at in (0..sealed.len()).step_by(7) {
        let mut changed = sealed.clone();
        changed[at] ^= 0x20;
        let Err(Failure::NotOpened(why)) = open(&seal, &changed) else { panic!("a change at {at} was read") };
        assert!(!why.contains("Ada"), "{why}");
    }
    for len in [sealed.len() / 3, sealed.len() / 2, sealed.len() - 1] {
        assert!(matches!(open(&seal, &sealed[..len]), Err(Failure::NotOpened(_))), "cut to {len}");
    }
}

#[test]
fn a_message_whose_integrity_nothing_protects_is_not_read() {
    let ours = key(None);
    let mut sealed = Made { to: &ours, signed: None, compressed: None }.of(TEXT);
    // RFC 9580, 4.2: packet 18, with integrity, becomes packet 9, without. The one before is packet 1, the session key.
    let first = 2 + usize::from(sealed[1]);
    assert_eq!((sealed[0], sealed[first]), (0xc0 | 1, 0xc0 | 18));
    sealed[first] = 0xc0 | 9;
    let why = "it was changed on the way, is not whole, or was encrypted in a form without integrity";
    assert_eq!(open(&seal(&[&ours], "", &[]), &sealed), not(why));
}

#[test]
fn the_newer_form_with_integrity_in_pieces_is_read_too() {
    let ours = key(None);
    let mut builder = MessageBuilder::from_bytes("people.csv", TEXT.as_bytes()).seipd_v2(
        thread_rng(),
        SymmetricKeyAlgorithm::AES256,
        AeadAlgorithm::Ocb,
        ChunkSize::default(),
    );
    builder.encrypt_to_key(thread_rng(), &ours.secret_subkeys[0].public_key()).unwrap();
    let sealed = builder.to_vec(thread_rng()).unwrap();
    assert_eq!(open(&seal(&[&ours], "", &[]), &sealed), Ok((TEXT.to_owned(), false)));
}

#[test]
fn what_expands_beyond_its_bounds_is_not_read_to_its_end() {
    let ours = key(None);
    let seal = seal(&[&ours], "", &[]);
    let packed = Made { to: &ours, signed: None, compressed: Some(CompressionAlgorithm::ZLIB) };
    let bomb = packed.of(vec![b'a'; 3 * 1024 * 1024]);
    assert!(bomb.len() < 10_000);
    assert_eq!(open(&seal, &bomb), not("it expands to more than a hundred times its size"));
    assert_eq!(open(&seal, &packed.of("a".repeat(900_000))), Ok(("a".repeat(900_000), false)), "a small one may");
    let plain = Made { to: &ours, signed: None, compressed: None };
    assert_eq!(seal.open(&plain.of(TEXT), 16).map(|_| ()), Err(Failure::TooLarge));
}

#[test]
fn keys_that_are_none_are_seen_before_anything_is_asked() {
    let ours = key(None);
    let no_key = "the Secret of decryption.keyRef holds no armored OpenPGP private key";
    for (situation, seal, why) in [
        ("no key", seal(&[], "", &[]), no_key),
        ("no private key", OpenPgp { keys: vec![SecretString::from(public(&ours))], ..seal(&[], "", &[]) }, no_key),
        (
            "no public key",
            seal(&[&ours], "", &["ssh-ed25519 AAAA".to_owned()]),
            "signedBy 1 is no armored OpenPGP public key",
        ),
        (
            "a private key to sign with",
            seal(&[&ours], "", &[armored(&ours).expose_secret().to_owned()]),
            "signedBy 1 is no armored OpenPGP public key",
        ),
    ] {
        assert_eq!(seal.check(), Err(why.to_owned()), "{situation}");
    }
}

/// GnuPG, with a folder of its own.
struct Gnupg(std::path::PathBuf);

impl Gnupg {
    fn new() -> Self {
        test_sshd::install("gpg", &["gnupg"]);
        let dir = std::env::temp_dir().join(format!("rollcall-gpg-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.join("gpg-agent.conf"), "s2k-count 65536\n").unwrap(); // the usual takes minutes, built like this
        Self(dir)
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&self.0).args(["--batch", "--quiet", "--trust-model", "always"]);
        command.args(["--pinentry-mode", "loopback", "--passphrase", "open"]).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments)).unwrap()
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.0).args(["--kill", "all"]).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_gnupg_encrypts_and_signs_is_opened_and_a_revoked_signer_is_not_believed() {
    let gpg = Gnupg::new();
    for id in ["rollcall@example.com", "sender@example.com"] {
        gpg.run(&["--quick-gen-key", id, "ed25519", "sign", "never"]);
    }
    let fingerprint = gpg.text(&["--with-colons", "--list-keys", "rollcall@example.com"]);
    let fingerprint = fingerprint.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().replace(':', "");
    gpg.run(&["--quick-add-key", &fingerprint, "cv25519", "encr", "never"]);
    let key = SecretString::from(gpg.text(&["--armor", "--export-secret-keys", "rollcall@example.com"]));
    let signer = gpg.text(&["--armor", "--export", "sender@example.com"]);
    let text = people(0..500);
    let path = gpg.0.join("people.csv");
    fs::write(&path, &text).unwrap();
    let path = path.to_str().unwrap();
    let seal = |signers: &[&String]| OpenPgp {
        keys: vec![SecretString::from(key.expose_secret())],
        passphrase: SecretString::from("open"),
        signers: signers.iter().map(|signer| (*signer).clone()).collect(),
    };
    let signed = [
        "--sign",
        "--local-user",
        "sender@example.com",
        "--recipient",
        "rollcall@example.com",
        "--output",
        "-",
        "--encrypt",
        path,
    ];
    let sealed = gpg.run(&signed);
    assert_eq!(open(&seal(&[&signer]), &sealed), Ok((text.clone(), true)));
    let armored = gpg.run(&[&["--armor"][..], &signed].concat());
    assert_eq!(open(&seal(&[&signer]), &armored), Ok((text.clone(), true)));
    let other = gpg.text(&["--armor", "--export", "rollcall@example.com"]);
    assert_eq!(open(&seal(&[&other]), &sealed), not("it is signed by nobody in signedBy, or was changed since"));
    let anonymous = gpg.run(&["--hidden-recipient", "rollcall@example.com", "--output", "-", "--encrypt", path]);
    assert_eq!(open(&seal(&[]), &anonymous), Ok((text, false)));

    let revocation = gpg.0.join("openpgp-revocs.d");
    let fingerprint = gpg.text(&["--with-colons", "--list-keys", "sender@example.com"]);
    let fingerprint = fingerprint.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().replace(':', "");
    let revocation = fs::read_to_string(revocation.join(format!("{fingerprint}.rev"))).unwrap();
    let usable = gpg.0.join("revoked.asc");
    fs::write(&usable, revocation.replace(":-----BEGIN", "-----BEGIN")).unwrap();
    gpg.run(&["--import", usable.to_str().unwrap()]);
    let revoked = gpg.text(&["--armor", "--export", "sender@example.com"]);
    assert_eq!(open(&seal(&[&revoked]), &sealed), not("signedBy 1 was revoked by its owner"));
}
