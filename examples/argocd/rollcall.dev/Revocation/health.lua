-- Suspended: a gate is shut; the message says which, and what opens it. Progressing: the revoker is at work, or a gate opens
-- by itself within moments. Degraded: what should be refused is not, or the revoker cannot run.
local health = {status = "Progressing", message = "Waiting for a plan"}
if obj.status == nil or obj.status.phase == nil then
  return health
end
local of = {
  Held = "Suspended", Released = "Progressing", Failed = "Degraded",
  Revoked = "Healthy", Cancelled = "Healthy", Frozen = "Healthy", Lifted = "Healthy",
}
health.status = of[obj.status.phase] or "Progressing"
health.message = obj.status.phase
local bad = {RevokerCannotStart = true, RevokerFailed = true, NotRefused = true, FreezeNotInstalled = true, FrozenFull = true}
local moments = {Uncounted = true, BeforeHooks = true}
local worse, more = nil, nil
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message
    if condition.status == "False" and bad[condition.reason] then
      health.status = "Degraded"
    elseif condition.status == "False" and moments[condition.reason] and obj.status.phase == "Held" then
      health.status = "Progressing"
    end
  elseif condition.status == "True" and (condition.type == "Stalled" or condition.type == "Refuted") then
    worse = condition.message
  elseif condition.status == "True" and (condition.type == "Returned" or condition.type == "HooksFailed") then
    more = condition.message
  end
end
if worse ~= nil then
  return {status = "Degraded", message = worse}
end
if more ~= nil and health.status == "Healthy" then
  health.message = more
end
return health
