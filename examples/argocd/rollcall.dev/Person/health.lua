-- Somebody who works here is Healthy, and so is a leaver whose access was refused. Suspended: a gate is shut, and a human
-- may have to decide. Degraded: access stands that should have ended.
if obj.status == nil then
  return {status = "Progressing", message = "Waiting for the first trusted response"}
end
local of = {
  NotPlanned = "Progressing", Released = "Progressing", Held = "Suspended", Cancelled = "Healthy",
  RevokerCannotStart = "Degraded", RevokerFailed = "Degraded", AccessRemains = "Degraded", WorksAgain = "Degraded", NotProved = "Degraded",
}
local health = {status = "Healthy", message = ""}
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Revoked" then
    health.message = condition.message
    if condition.status == "False" then
      health.status = of[condition.reason] or "Degraded"
    end
    return health
  end
  if condition.type == "Frozen" then
    health.message = condition.message
    if condition.status == "False" then
      health.status = "Suspended"
    end
  end
end
return health
