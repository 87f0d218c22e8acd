//! Lists that admission policies read: each is worked out from what is known now, written over exactly what stands, and looked at again.
//!
//! Two processes may lead for a while, and the one that is behind may write what it knew before over what is newer. So no list is written
//! once: it is looked at for as long as anything is on it, and put right. What was put on it by another process is told to whoever works
//! it out, since this process may not have seen all of what that one saw.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Context;
use crate::api::{
    EndedAccess, EndedAccessSpec, RecreatableAccounts, RecreatableAccountsSpec, TrimmableSubjects,
    TrimmableSubjectsSpec, names,
};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap;

/// Wait after a list could not be written, and before it is looked at first.
const LATER: Duration = Duration::from_secs(5);
/// How often a write is tried again after somebody else wrote.
const CONFLICTS: usize = 8;

/// What is on a list, and what is said of each.
pub type Listed = BTreeMap<String, String>;

/// An object that is such a list; there is one of each.
pub trait List:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + Serialize
    + std::fmt::Debug
{
    /// Its name.
    const NAME: &'static str;
    /// What is being done, for a fault.
    const WRITES: &'static str;
    /// Changes that come in a row are written together.
    const TOGETHER: Duration;
    /// It is looked at again after twice the time of before, and after so long at most.
    const LOOKS: Duration;
    /// Whether it is made although nothing is on it: where its policy finds no list it refuses nothing.
    const ALWAYS: bool;

    /// What there can be on it.
    type On: Clone + Default + PartialEq;

    /// One with these on it.
    fn made(listed: Self::On) -> Self;
    /// What is on it.
    fn listed(&mut self) -> &mut Self::On;
    /// Adds what is on another one.
    fn add(on: &mut Self::On, more: &Self::On);
}

fn add(on: &mut Listed, more: &Listed) {
    on.extend(more.iter().map(|(key, said)| (key.clone(), said.clone())));
}

impl List for TrimmableSubjects {
    const NAME: &'static str = names::TRIM;
    const WRITES: &'static str = "write the list of subjects that may be trimmed";
    const TOGETHER: Duration = Duration::from_millis(50);
    const LOOKS: Duration = LATER;
    const ALWAYS: bool = true;

    type On = Listed;

    fn made(subjects: Listed) -> Self {
        Self::new(Self::NAME, TrimmableSubjectsSpec { subjects })
    }

    fn listed(&mut self) -> &mut Listed {
        &mut self.spec.subjects
    }

    fn add(on: &mut Listed, more: &Listed) {
        add(on, more);
    }
}

impl List for RecreatableAccounts {
    const NAME: &'static str = names::RECREATE;
    const WRITES: &'static str = "write the list of accounts that may be made again";
    const TOGETHER: Duration = Duration::from_millis(50);
    const LOOKS: Duration = LATER;
    const ALWAYS: bool = true;

    type On = RecreatableAccountsSpec;

    fn made(listed: Self::On) -> Self {
        Self::new(Self::NAME, listed)
    }

    fn listed(&mut self) -> &mut Self::On {
        &mut self.spec
    }

    fn add(on: &mut Self::On, more: &Self::On) {
        add(&mut on.owners, &more.owners);
        add(&mut on.pods, &more.pods);
    }
}

impl List for EndedAccess {
    const NAME: &'static str = names::ENDED;
    const WRITES: &'static str = "write the list of what is not to be made again";
    const TOGETHER: Duration = Duration::from_millis(200);
    /// It has something on it for years.
    const LOOKS: Duration = Duration::from_secs(3600);
    const ALWAYS: bool = false;

    type On = Listed;

    fn made(ended: Listed) -> Self {
        Self::new(Self::NAME, EndedAccessSpec { ended })
    }

    fn listed(&mut self) -> &mut Listed {
        &mut self.spec.ended
    }

    fn add(on: &mut Listed, more: &Listed) {
        add(on, more);
    }
}

/// Keeps a list, for as long as the process lives. `wanted` works it out, and is told what was last known to be on it; none leaves it as
/// it is.
///
/// # Flow          wait for a change, or for the next look; work the list out; write it over exactly what was read, if it is another one
/// # Guarantees    what is written follows from what stood; what another process writes over it is put right with the next look
/// # Errors        told in the log; tried again
pub async fn keep<L: List, W>(ctx: &Context, changed: &Notify, wanted: impl Fn(L::On) -> W)
where
    W: Future<Output = Result<Option<L::On>, Fault>>,
{
    let mut written: Option<L::On> = None;
    let mut look = Look::default();
    loop {
        match renew::<L, W>(ctx, &wanted, written.as_ref(), look.is_due()).await {
            Ok(Some((listed, news))) => {
                look.after(news, listed == L::On::default(), L::LOOKS);
                written = Some(listed);
            }
            Ok(None) => look.after(false, false, L::LOOKS),
            Err(fault) => {
                tracing::warn!(%fault, "a list that an admission policy reads is not as it is to be; tried again");
                tokio::time::sleep(LATER).await;
                continue;
            }
        }
        tokio::select! {
            () = changed.notified() => {}
            () = look.comes() => {}
        }
        tokio::time::sleep(L::TOGETHER).await;
    }
}

/// When a list is looked at again.
#[derive(Default)]
struct Look {
    next: Option<(Instant, Duration)>,
}

impl Look {
    fn is_due(&self) -> bool {
        self.next.is_some_and(|(at, _)| at <= Instant::now())
    }

    /// The next look, once one was made or the list was written: soon after news, later and later after that, and none of a list that
    /// is empty for good.
    fn after(&mut self, news: bool, empty: bool, longest: Duration) {
        let wait = match self.next {
            _ if news => LATER,
            Some((at, wait)) if at <= Instant::now() => wait.saturating_mul(2),
            _ => return,
        };
        let wait = wait.min(longest);
        self.next = (news || !empty).then(|| (Instant::now() + wait, wait));
    }

    async fn comes(&self) {
        match self.next {
            Some((at, _)) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// Writes a list as it is to be now, unless it is that already; gives what is on it, and whether that is another list than before.
async fn renew<L: List, W>(
    ctx: &Context,
    wanted: impl Fn(L::On) -> W,
    written: Option<&L::On>,
    look: bool,
) -> Result<Option<(L::On, bool)>, Fault>
where
    W: Future<Output = Result<Option<L::On>, Fault>>,
{
    if let Some(written) = written.filter(|_| !look) {
        let Some(now) = wanted(written.clone()).await? else { return Ok(None) };
        if now == *written {
            return Ok(Some((now, false)));
        }
    }
    let api: Api<L> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    for _ in 0..CONFLICTS {
        let mut current = call(L::WRITES, api.get_opt(L::NAME)).await?;
        let mut before = current.as_mut().map(|object| object.listed().clone()).unwrap_or_default();
        if let Some(written) = written {
            L::add(&mut before, written);
        }
        let Some(now) = wanted(before).await? else { return Ok(None) };
        let (fresh, news) = (current.is_none(), written != Some(&now));
        let next = match current {
            None => (L::ALWAYS || now != L::On::default()).then(|| L::made(now.clone())),
            Some(mut object) => (*object.listed() != now).then(|| {
                *object.listed() = now.clone();
                object
            }),
        };
        let Some(next) = next else { return Ok(Some((now, news))) };
        match swap::put(&api, L::WRITES, &next, fresh).await {
            Err(fault) if fault.is_conflict() || (!fresh && fault.is_not_found()) => {}
            put => return put.map(|_| Some((now, news))),
        }
    }
    Err(Fault::Transient { doing: L::WRITES, cause: "somebody else kept writing".to_owned() })
}

#[cfg(test)]
mod tests;
