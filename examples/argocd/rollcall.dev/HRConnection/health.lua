-- Degraded only where the spec cannot be followed. While the HR system does not respond, or its response is held, the last
-- trusted one stays in force: Healthy, with the reason, so that no sync waits for an HR system.
local health = {status = "Progressing", message = "Waiting for the first read"}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
-- What the spec names is not there: it may come with the same sync.
local awaited = {DefinitionMissing = true, CaBundleMissing = true, SecretMissing = true, SecretIncomplete = true}
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = condition.message}
  end
  if condition.type == "Ready" then
    health = {status = "Healthy", message = condition.message}
    if condition.reason == "Suspended" then
      health.status = "Suspended"
    elseif awaited[condition.reason] then
      health.status = "Progressing"
    end
  end
end
return health
