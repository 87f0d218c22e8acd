//! Keeps who owns a Secret where sync reads it: a leaver who owns nothing else owns something here too.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use crate::kube::holders;

/// Changes that come within this time are written together.
const TOGETHER: Duration = Duration::from_secs(2);
/// Wait after they could not be written.
const LATER: Duration = Duration::from_secs(60);

/// Writes them when they change; ends only with the process.
pub async fn keep(ctx: Arc<Context>) {
    ctx.stores.secrets.first_listed().await; // what is not listed yet is no reason to forget who was written before
    let mut written = None;
    loop {
        let owners = ctx.owned(|owned| owned.secret_owners());
        if written.as_ref() != Some(&owners) {
            match holders::write(&ctx.client, &ctx.options.namespace, &owners).await {
                Ok(()) => written = Some(owners),
                Err(fault) => {
                    tracing::warn!(%fault, "who owns Secrets is not written; tried again");
                    tokio::time::sleep(LATER).await;
                    continue;
                }
            }
        }
        ctx.holders.notified().await;
        tokio::time::sleep(TOGETHER).await;
    }
}
