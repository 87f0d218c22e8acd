//! What is said of a connection's webhooks: with every status that is written, and by itself where it has turned.

use jiff::Timestamp;
use kube::ResourceExt;

use super::poll;
use crate::api::HRConnection;
use crate::api::condition::{self, Condition, ConditionType};
use crate::api::connection::HRConnectionStatus;
use crate::kube::calls;
use crate::kube::named::Api;
use crate::sync::{Context, MANAGER};

/// Conditions with what is said of webhooks; without it where the connection takes none.
pub(super) fn said(
    connection: &HRConnection,
    ctx: &Context,
    mut conditions: Vec<Condition>,
    now: Timestamp,
) -> Vec<Condition> {
    let hint = ctx.hints.of(connection);
    let update = hint.map(|hint| hint.condition(connection));
    conditions.retain(|one| one.type_ != ConditionType::WebhooksTaken.as_str());
    let shown = poll::current_status(connection).conditions;
    let updates = update.into_iter().collect();
    conditions.extend(condition::merge(&shown, updates, connection.metadata.generation, now));
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}

/// Writes the condition if it has turned since the last read: a refused webhook is to be seen before the next one.
pub(super) async fn say(connection: &HRConnection, ctx: &Context, now: Timestamp) {
    let status = poll::current_status(connection);
    let conditions = said(connection, ctx, status.conditions.clone(), now);
    if turned(&conditions) == turned(&status.conditions) {
        return;
    }
    let status = HRConnectionStatus { conditions, ..status };
    let connections = Api::<HRConnection>::namespaced(ctx.client.clone(), &ctx.namespace);
    if let Err(fault) = calls::apply_exactly(&connections, connection, MANAGER, &status).await {
        tracing::warn!(connection = connection.name_any(), %fault, "what webhooks came to is not said; it is with the next read");
    }
}

/// Status and reason: a newer time alone is no turn.
fn turned(conditions: &[Condition]) -> Option<(&str, &str)> {
    let of_webhooks = |one: &&Condition| one.type_ == ConditionType::WebhooksTaken.as_str();
    conditions.iter().find(of_webhooks).map(|one| (one.status.as_str(), one.reason.as_str()))
}
