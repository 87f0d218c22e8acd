-- For 24 hours, as `kubectl rollcall suspend` does: nobody forgets a pause for longer.
local os = require("os")
obj.spec.suspend = {reason = "suspended in Argo CD", ["until"] = os.date("!%Y-%m-%dT%XZ", os.time() + 24 * 60 * 60)}
return obj
