//! A live look at a pod that is to be evicted: is it the one that was approved, and may a session of this leaver still be open in it?

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::Instant;

use super::{Observation, Observer, namespace_is_gone};
use crate::api::{Revocation, convert};
use crate::kube::calls::{call, surely};
use crate::kube::gate_inputs::GateInputs;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::pods;
use crate::revoke::Context;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{RemainingReason, Target, reach};
use domain::sessions::{self, Places};

/// The cut that says where sessions may be open, read live; none where this Revocation evicts nothing.
pub async fn cut(ctx: &Context, inputs: &GateInputs) -> Result<Option<Revocation>, Fault> {
    let Some(name) = convert::cut_of(&inputs.revocation) else { return Ok(None) };
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let its = |cut: &Revocation| cut.spec.person_uid == inputs.revocation.spec.person_uid;
    // A plan to evict was drawn of what it says: one that says nothing ends that.
    let read = || async { Ok(call("read the cut", api.get_opt(&name)).await?.filter(its)) };
    surely(read, |cut| cut.as_ref().and_then(convert::sessions).is_none()).await
}

/// Where sessions of this person may be open, and since when none can be opened; none once a user name that was frozen is not theirs
/// alone: that is asked again of everybody as they were read since this Revocation was taken up.
pub async fn sessions(
    ctx: &Context,
    cut: Option<Revocation>,
    person: Option<&PersonFacts>,
    index: &Index,
    begun: Instant,
) -> Result<Option<(Places, Timestamp)>, Fault> {
    let (Some(cut), Some(person)) = (cut, person) else { return Ok(None) };
    let theirs =
        all_theirs(&cut, person, index) || all_theirs(&cut, person, &*ctx.shared.people_since(ctx, begun).await?);
    Ok(convert::sessions(&cut).filter(|_| theirs))
}

/// Whether every user name that was frozen is this person's alone.
fn all_theirs(cut: &Revocation, person: &PersonFacts, index: &Index) -> bool {
    let plan = cut.status.as_ref().and_then(|status| status.plan.as_ref());
    let names = plan.into_iter().flat_map(|plan| &plan.freezes).map(|freeze| &freeze.name);
    names.into_iter().all(|name| index.user_claim(name, person) == Claim::Theirs)
}

impl Observer<'_> {
    /// What stands under the name of a pod, out of a list: the right to list them is all that is asked for.
    pub(super) async fn look_at_pod(&self, target: &Target) -> Result<Observation, Fault> {
        let api: Api<Pod> = Api::namespaced(self.ctx.client.clone(), &target.namespace);
        let look = || call("look at a pod", api.listed(&target.name));
        let is_not_there = |pods: &Vec<Pod>| !pods.iter().any(|pod| pod.uid().as_ref() == Some(&target.uid));
        let listed = match surely(look, is_not_there).await {
            Ok(listed) => listed,
            Err(fault) if fault.is_forbidden() && namespace_is_gone(self.ctx, &target.namespace).await? => Vec::new(),
            Err(fault) if fault.is_forbidden() => {
                return Ok(Observation::Refused("RBAC: the namespace has not consented".to_owned()));
            }
            Err(fault) => return Err(fault),
        };
        let Some(pod) = listed.into_iter().find(|pod| pod.name_any() == target.name) else {
            return Ok(Observation::Gone);
        };
        let uid = pod.uid().unwrap_or_default();
        if uid != target.uid {
            return Ok(Observation::Replaced { uid });
        }
        Ok(match self.not_evicted(target, pod) {
            Some(reason) => Observation::NotOurs(reason),
            None => Observation::Evicts,
        })
    }

    /// Why a pod is left alone.
    fn not_evicted(&self, target: &Target, pod: Pod) -> Option<RemainingReason> {
        if self.only_finish {
            return Some(RemainingReason::NoLongerLeft);
        }
        let Some((places, frozen)) = &self.sessions else { return Some(RemainingReason::OpenSessions) };
        let Some(pod) = pods::single(pod) else { return Some(RemainingReason::OpenSessions) };
        let world = self.world(target);
        let place = reach::place(&target.namespace, &pod.name, pod.break_glass, &world, &self.protected);
        place.or_else(|| {
            let open = sessions::may_be_open_in(places, &target.namespace, &pod.name, pod.created, *frozen);
            let evicted = open && sessions::comes_back(&pod.maker, pod.break_glass);
            (!evicted).then_some(RemainingReason::OpenSessions)
        })
    }
}
