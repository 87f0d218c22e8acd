//! A look at a binding that others share: `rollcall trim` is to take this person's user names out of it, and the revoker says what
//! there is to be taken out, keeps what stood, and sees that it was done. It never changes such a binding itself.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use serde_json::Value;

use super::{Manifest, Observation, Observer, standing, without_servers_fields};
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use crate::revoke::probe;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{self, RemainingReason, Subject, Target, reach, trim};

impl Observer<'_> {
    /// What stands there, and the object itself if it is to be acted on. One that names this person no longer is gone as far as
    /// they are concerned; one that by now names nobody else, since the others left too, is the revoker's to delete.
    pub(super) async fn look_at_shared(
        &self,
        target: &Target,
        live: &DynamicObject,
    ) -> Result<(Observation, Option<Value>), Fault> {
        let left = |reason| Ok((Observation::NotOurs(reason), None));
        let (Some(person), Some(binding)) = (&self.person, targets::binding(target, live)) else {
            return left(RemainingReason::AmbiguousMark);
        };
        let world = self.world(target);
        let judge = |index: &Index| trim::leaving(&binding, person, index, &world, &self.protected);
        let mut judged = judge(&self.index);
        if judged == Err(RemainingReason::WorksHere) {
            // What everybody was known to be may be some seconds old: records that ended together must not hold one another.
            judged = judge(self.ctx.shared.people_since(self.ctx, self.begun).await?.as_ref());
        }
        match judged {
            Ok(_) if self.only_finish => left(RemainingReason::NoLongerLeft),
            Ok(_) if !probe::trim_may_bind(self.ctx, target, live).await? => left(RemainingReason::MayNotBind),
            Ok(_) => {
                let raw = without_servers_fields(live);
                Ok((Observation::Shared { manifest: Manifest::of(&raw) }, Some(raw)))
            }
            Err(RemainingReason::SharedBinding) if !names(&binding, person, &self.index) => {
                Ok((Observation::Gone, None))
            }
            Err(RemainingReason::SharedBinding) if self.is_theirs_alone(&binding, person, &world) => Ok(standing(live)),
            Err(reason) => left(reason),
        }
    }

    /// Whether every subject is a user name of this person's by now, and the binding is in reach.
    fn is_theirs_alone(&self, binding: &plan::Binding, person: &PersonFacts, world: &plan::ClusterInventory) -> bool {
        !self.only_finish && reach::binding(binding, person, &self.index, world, &self.protected).is_none()
    }

    /// The same of what stands there now; none where that cannot be read.
    pub(super) async fn leaving_now(&self, target: &Target) -> BTreeSet<String> {
        let read = call("look at a target", targets::api(&self.ctx.client, target).get_opt(&target.name)).await;
        read.ok().flatten().map(|live| self.leaving(&live.data)).unwrap_or_default()
    }

    /// The user names that are to go, of a shared binding as raw JSON: as it was read, or as it was kept.
    pub(super) fn leaving(&self, binding: &Value) -> BTreeSet<String> {
        let Some(person) = &self.person else { return BTreeSet::new() };
        let theirs = |user: &&str| self.index.user_claim(user, person) == Claim::Theirs;
        targets::users(binding).filter(theirs).map(str::to_owned).collect()
    }
}

/// Whether a binding has a user name that may be this person's.
fn names(binding: &plan::Binding, person: &PersonFacts, index: &Index) -> bool {
    binding.subjects.iter().any(|subject| match subject {
        Subject::User(name) => index.user_claim(name, person) != Claim::NotTheirs,
        Subject::Account { .. } | Subject::Other => false,
    })
}
