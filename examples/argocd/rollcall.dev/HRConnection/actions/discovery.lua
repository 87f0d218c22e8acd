local suspended = false
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Ready" and condition.reason == "Suspended" then
      suspended = true
    end
  end
end
return {
  ["read-now"] = {disabled = suspended},
  ["suspend"] = {disabled = suspended},
  ["resume"] = {disabled = obj.spec.suspend == nil},
}
