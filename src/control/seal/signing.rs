//! The installation's key: made at the first start or given by an admin, exchanged on request, and used for each head of the
//! evidence that control writes.
//!
//! The private key is in a Secret that no other identity of Rollcall may read; the public ones are in a ConfigMap that viewers
//! read. Sealing never waits for a key: a head that cannot be signed is written without, and the next one that can vouches for
//! all before it. A key that is lost is not replaced by itself: whoever can delete a Secret would choose who signs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PostParams;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Sealer, head};
use crate::api::names;
use crate::control::Context;
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap::{self, OwnConfigMap};
use domain::evidence::{HEAD_SIGNED, Head, KEYS, KeyEntry, Keys, PublicKey, SignedHead, SigningKey, signable};

/// Time between two looks at the Secret.
const REST: Duration = Duration::from_secs(300);
/// Time to the next look after a failed one.
const AGAIN: Duration = Duration::from_secs(10);
/// Steps of one look: a key is made, named, handed over, put in its place, and used.
const STEPS: usize = 8;
/// The public keys.
const PUBLIC: OwnConfigMap<'_> =
    OwnConfigMap { name: names::EVIDENCE_KEYS, part: "keys", doing: "write the public keys of the evidence" };

/// What heads are signed with, if there is a key.
#[derive(Default)]
pub struct Signer(Mutex<Option<Arc<Signing>>>);

/// A key, and the installation it signs for.
#[derive(Debug)]
struct Signing {
    key: SigningKey,
    installation: String,
}

impl Signer {
    fn current(&self) -> Option<Arc<Signing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, signing: Option<Signing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = signing.map(Arc::new);
    }

    /// The data of the head's ConfigMap: with a signature of this head, or else with the newest one there is.
    pub fn data(&self, current: Option<&ConfigMap>, head: &Head, now: Timestamp) -> BTreeMap<String, String> {
        let fresh = self
            .current()
            .and_then(|signing| SignedHead::sign(head, &signing.installation, &signing.key, now).ok()?.text().ok());
        let last = || current?.data.as_ref()?.get(HEAD_SIGNED).cloned();
        let signed = fresh.or_else(last).map(|text| (HEAD_SIGNED.to_owned(), text));
        head.data().into_iter().chain(signed).collect()
    }
}

/// Why heads are not signed, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsigned {
    #[error("the Secret with the key is not there, or empty: restore it, or give another key")]
    Lost,
    #[error("the Secret holds no Ed25519 key in PEM")]
    Unreadable,
    #[error("the Secret holds a key that another one took over from: restore the newest one")]
    Earlier,
    #[error("the ConfigMap with the public keys was changed")]
    KeysChanged,
}

/// What is to be done with the Secret and the public keys that stand.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing was ever signed, and the Secret is empty: make a key.
    MakeKey,
    /// The first public key is written.
    Begin(PublicKey),
    /// The key is the newest one.
    Sign,
    /// A key is to take over, signed by the one before it.
    HandOver(PublicKey),
    /// It took over: it takes its place in the Secret.
    Exchange,
    /// A key took over from one that is lost.
    Replace(PublicKey),
    /// Nothing can be signed.
    Nothing(Unsigned),
}

/// The keys in the Secret.
#[derive(Debug, Default)]
struct Private {
    /// Whether there is nothing in it, as the chart makes it.
    empty: bool,
    key: Option<SigningKey>,
    next: Option<SigningKey>,
}

impl Private {
    fn read(secret: &Secret) -> Self {
        let key = |name: &str| SigningKey::from_pem(&String::from_utf8_lossy(&secret.data.as_ref()?.get(name)?.0));
        let empty = secret.data.as_ref().is_none_or(BTreeMap::is_empty);
        Self { empty, key: key(names::KEY_PEM), next: key(names::NEXT_PEM) }
    }
}

/// Decides; pure. `keys` is `None` where there is no ConfigMap, and an error where it cannot be read.
fn decide(private: Option<&Private>, keys: Option<Result<&Keys, Unsigned>>) -> Next {
    let newest = match keys {
        None => None,
        Some(Err(why)) => return Next::Nothing(why),
        Some(Ok(keys)) => match keys.newest() {
            None => return Next::Nothing(Unsigned::KeysChanged),
            Some(newest) => Some((keys, newest)),
        },
    };
    let Some(private) = private else { return Next::Nothing(Unsigned::Lost) };
    if private.empty {
        return if newest.is_none() { Next::MakeKey } else { Next::Nothing(Unsigned::Lost) };
    }
    let public = |key: &Option<SigningKey>| key.as_ref().map(SigningKey::public);
    let Some(current) = public(&private.key) else { return Next::Nothing(Unsigned::Unreadable) };
    let Some((keys, newest)) = newest else { return Next::Begin(current) };
    match public(&private.next) {
        Some(next) if next == newest => return Next::Exchange,
        Some(next) if current == newest => return Next::HandOver(next),
        _ => {}
    }
    if current == newest {
        return Next::Sign;
    }
    let known = keys.keys.iter().any(|entry| entry.key().as_ref() == Some(&current));
    if known { Next::Nothing(Unsigned::Earlier) } else { Next::Replace(current) }
}

/// Keeps the key, for as long as the process lives.
pub async fn keep(ctx: Arc<Context>) {
    loop {
        let rest = match look(&ctx).await {
            Ok(()) => REST,
            Err(fault) => {
                tracing::warn!(%fault, "the key of the evidence could not be looked at; tried again");
                AGAIN
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// One look at the Secret and the public keys, and one step after another until there is a key or none is to be had.
///
/// # Flow          read both; decide; one write; read again
/// # Guarantees    a key is made only where there never was one; the public keys only grow; a key takes its place in the Secret
///                 only once the public keys name it; the one before it signs no head after that
/// # Errors        transient: nothing is half done that the next look does not finish
async fn look(ctx: &Context) -> Result<(), Fault> {
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.options.revoker_namespace);
    let maps: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    for _ in 0..STEPS {
        let secret = call("read the key of the evidence", secrets.get_opt(names::EVIDENCE_KEY)).await?;
        let map = call("read the public keys of the evidence", maps.get_opt(names::EVIDENCE_KEYS)).await?;
        let private = secret.as_ref().map(Private::read);
        let keys = map.as_ref().map(|map| read(map).ok_or(Unsigned::KeysChanged));
        let keys = keys.as_ref().map(|keys| keys.as_ref().map_err(|why| *why));
        let next = decide(private.as_ref(), keys);
        let (private, keys) = (private.unwrap_or_default(), keys.and_then(Result::ok));
        match next {
            Next::Sign => return use_key(ctx, &maps, private.key, keys).await,
            Next::Nothing(why) => {
                tracing::warn!(%why, "heads of the evidence are not signed; sealing goes on");
                ctx.seals.signer.set(None);
                ctx.metrics.evidence_signed(false);
                return Ok(());
            }
            Next::MakeKey => put(&secrets, secret, SigningKey::pem_of(&random()?).into_bytes()).await?,
            Next::Exchange => {
                let taken = secret.as_ref().and_then(|secret| secret.data.as_ref()?.get(names::NEXT_PEM).cloned());
                put(&secrets, secret, taken.unwrap_or_default().0).await?;
            }
            Next::Begin(key) | Next::HandOver(key) | Next::Replace(key) => {
                write_public(ctx, &maps, map.clone(), keys, &key, private.key.as_ref()).await?;
            }
        }
    }
    Err(Fault::Transient {
        doing: "look at the key of the evidence",
        cause: "somebody else kept changing it".to_owned(),
    })
}

fn read(map: &ConfigMap) -> Option<Keys> {
    Keys::read(map.data.as_ref()?.get(KEYS)?)
}

/// Signs with this key from here on, and the head that stands if this key has not.
async fn use_key(
    ctx: &Context,
    maps: &Api<ConfigMap>,
    key: Option<SigningKey>,
    keys: Option<&Keys>,
) -> Result<(), Fault> {
    let (Some(key), Some(keys)) = (key, keys) else { return Ok(()) };
    let id = key.public().id();
    let _turn = ctx.seals.turn.lock().await;
    ctx.seals.signer.set(Some(Signing { key, installation: keys.installation.clone() }));
    ctx.metrics.evidence_signed(true);
    let (at, map) = head(maps).await?;
    let signed = map.as_ref().and_then(|map| SignedHead::read(map.data.as_ref()?.get(HEAD_SIGNED)?));
    let done = signed.is_some_and(|signed| signed.head() == at && signed.key == id);
    if signable(&at) && !done {
        let sealer = Sealer { api: maps, signer: &ctx.seals.signer, now: (ctx.clock)() };
        sealer.move_head(map, &at).await?; // one that moved meanwhile was signed by who moved it
    }
    Ok(())
}

/// Puts a key into the Secret, alone, over exactly the Secret that was read; one that was changed meanwhile is looked at again.
async fn put(secrets: &Api<Secret>, secret: Option<Secret>, pem: Vec<u8>) -> Result<(), Fault> {
    let Some(mut secret) = secret else { return Ok(()) };
    secret.data = Some(BTreeMap::from([(names::KEY_PEM.to_owned(), ByteString(pem))]));
    let params = PostParams::default();
    let replace = secrets.replace(names::EVIDENCE_KEY, &params, &secret);
    match call("write the key of the evidence", replace).await {
        Err(fault) if fault.is_conflict() => Ok(()),
        written => written.map(drop),
    }
}

/// Writes one more public key, signed by `before` where that is the newest of those that stand.
async fn write_public(
    ctx: &Context,
    maps: &Api<ConfigMap>,
    map: Option<ConfigMap>,
    keys: Option<&Keys>,
    key: &PublicKey,
    before: Option<&SigningKey>,
) -> Result<(), Fault> {
    let mut keys = match keys {
        Some(keys) => keys.clone(),
        None => Keys { installation: HEXLOWER.encode(&random::<16>()?), keys: Vec::new() },
    };
    let unwritable = |_| Fault::Stalled("the public keys of the evidence cannot be written".to_owned());
    let _turn = ctx.seals.turn.lock().await; // nobody signs a head between the one that is read here and the other key
    ctx.seals.signer.set(None);
    let (after, _) = head(maps).await?;
    let entry = KeyEntry::new(&keys.installation, key, &after, (ctx.clock)());
    let newest = keys.newest();
    let entry = match before.filter(|before| Some(before.public()) == newest) {
        Some(before) => entry.signed_by(before).map_err(unwritable)?,
        None => entry,
    };
    tracing::info!(
        key = key.id(),
        after = after.index,
        signed_by = entry.by,
        "another key signs the evidence from here on"
    );
    keys.keys.push(entry);
    let data = BTreeMap::from([(KEYS.to_owned(), keys.text().map_err(unwritable)?)]);
    match swap::write(maps, PUBLIC, map, data).await {
        Err(fault) if fault.is_conflict() => Ok(()),
        written => written.map(drop),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Fault::Transient { doing: "make a key", cause: "there are no random numbers".to_owned() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_pem(&SigningKey::pem_of(&[seed; 32])).unwrap()
    }

    fn private(key: u8, next: Option<u8>) -> Private {
        Private { empty: false, key: Some(self::key(key)), next: next.map(self::key) }
    }

    fn keys(seeds: &[u8]) -> Keys {
        let entry = |seed: &u8| KeyEntry::new("home", &key(*seed).public(), &Head::genesis(), Timestamp::UNIX_EPOCH);
        Keys { installation: "home".into(), keys: seeds.iter().map(entry).collect() }
    }

    #[test]
    fn a_key_is_made_once_and_only_grows_by_its_own_signature_or_by_a_human_who_gives_another() {
        let public = |seed| key(seed).public();
        let empty = || Some(Private { empty: true, ..Private::default() });
        let cases = [
            ("first start", empty(), None, Next::MakeKey),
            ("a chart without the Secret", None, None, Next::Nothing(Unsigned::Lost)),
            ("made or given, and not named yet", Some(private(1, None)), None, Next::Begin(public(1))),
            ("the newest one", Some(private(2, None)), Some(keys(&[1, 2])), Next::Sign),
            ("another is to take over", Some(private(1, Some(2))), Some(keys(&[1])), Next::HandOver(public(2))),
            ("it is named, and the process died", Some(private(1, Some(2))), Some(keys(&[1, 2])), Next::Exchange),
            ("lost", None, Some(keys(&[1])), Next::Nothing(Unsigned::Lost)),
            ("lost, and the chart applied again", empty(), Some(keys(&[1])), Next::Nothing(Unsigned::Lost)),
            ("no key", Some(Private::default()), None, Next::Nothing(Unsigned::Unreadable)),
            ("given in place of a lost one", Some(private(3, None)), Some(keys(&[1, 2])), Next::Replace(public(3))),
            ("from an old backup", Some(private(1, None)), Some(keys(&[1, 2])), Next::Nothing(Unsigned::Earlier)),
            (
                "from an old backup, with a key that is to take over",
                Some(private(1, Some(3))),
                Some(keys(&[1, 2])),
                Next::Nothing(Unsigned::Earlier),
            ),
            ("no public key is left", Some(private(1, None)), Some(keys(&[])), Next::Nothing(Unsigned::KeysChanged)),
        ];
        for (situation, private, keys, expected) in cases {
            assert_eq!(decide(private.as_ref(), keys.as_ref().map(Ok)), expected, "{situation}");
        }
        let changed = decide(Some(&private(1, None)), Some(Err(Unsigned::KeysChanged)));
        assert_eq!(changed, Next::Nothing(Unsigned::KeysChanged));
    }

    #[test]
    fn a_head_without_a_key_keeps_the_last_signature_that_there_is() {
        let (signer, now) = (Signer::default(), Timestamp::UNIX_EPOCH);
        let [one, two] = [1, 2].map(|index| Head { index, hash: domain::evidence::hash(&index.to_string()) });
        assert_eq!(signer.data(None, &one, now), one.data(), "no key, no signature");
        signer.set(Some(Signing { key: key(1), installation: "home".into() }));
        let signed = signer.data(None, &one, now);
        assert_eq!(SignedHead::read(&signed[HEAD_SIGNED]).unwrap().head(), one);
        assert_eq!(Head::read(&signed), Some(one.clone()), "and the head is read as before");
        signer.set(None);
        let map = ConfigMap { data: Some(signed), ..ConfigMap::default() };
        let later = signer.data(Some(&map), &two, now);
        assert_eq!(Head::read(&later), Some(two));
        assert_eq!(SignedHead::read(&later[HEAD_SIGNED]).unwrap().head(), one);
    }
}
