-- Degraded where the spec cannot be followed, or where the revoker cannot run and leavers would keep their access. A policy
-- that waits for its connection's first trusted response is Healthy, with the reason: no sync waits for an HR system.
local health = {status = "Progressing", message = "Waiting for the policy to be read"}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = condition.message}
  end
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "RevokerReady" and condition.status == "False" then
    return {status = "Degraded", message = condition.message}
  end
  if condition.type == "Ready" then
    health = {status = "Healthy", message = condition.message}
    -- The connection may come with the same sync.
    if condition.reason == "ConnectionMissing" then
      health.status = "Progressing"
    end
  end
end
return health
