//! What runs in the namespaces that let control see it, listed live and once for everybody who asks at the time.
//!
//! It is not watched: that would take eight watches in every consenting namespace, for ever, and the right to watch where
//! `list` is enough. A plan that waits is drawn again now and then, and the revoker lists again before it acts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::recent::Recent;
use crate::kube::inventory::{self, Workloads};
use crate::kube::outcome::Fault;

/// How long a list is good for those who ask after it.
const FRESH: Duration = Duration::from_secs(2);
/// Namespaces listed at once for one plan.
const AT_ONCE: usize = 8;

/// The last lists.
#[derive(Default)]
pub struct Consumers(Recent<Workloads>);

impl Consumers {
    /// Names of the accounts that anything uses, by namespace; one that may not be read is left out: nobody knows.
    ///
    /// # Errors
    /// When the API server did not answer: then it has to be asked again, and nothing follows from it.
    pub async fn of(
        &self,
        ctx: &Context,
        namespaces: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
        use futures::{StreamExt, TryStreamExt};
        let reads = futures::stream::iter(namespaces).map(|namespace| async move {
            let workloads = self.workloads(ctx, &namespace).await?;
            Ok::<_, Fault>(workloads.map(|workloads| {
                let names = workloads.consumers(|secret| ctx.stores.token_of(&namespace, secret));
                (namespace, names)
            }))
        });
        let all: Vec<_> = reads.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    async fn workloads(&self, ctx: &Context, namespace: &str) -> Result<Option<Arc<Workloads>>, Fault> {
        self.0.of(namespace, FRESH, inventory::workloads(&ctx.client, namespace)).await
    }
}
