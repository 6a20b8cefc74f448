-- What wrk sends: the lines of a file as bodies, one after the other; "-" as the file: GET without a body.
-- Arguments: METHOD FILE [HEADER=VALUE ...]. Prints one JSON line, last.

local requests, place = {}, 0

function init(arguments)
  local headers = {}
  for number = 3, #arguments do
    local name, value = arguments[number]:match("([^=]+)=(.*)")
    headers[name] = value
  end
  if arguments[2] == "-" then
    requests[1] = wrk.format(arguments[1], nil, headers)
    return
  end
  headers["content-type"] = "application/json"
  for line in io.lines(arguments[2]) do
    requests[#requests + 1] = wrk.format(arguments[1], nil, headers, line)
  end
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests": %d, "seconds": %.6f, "failed": %d, "p50_us": %.1f, "p99_us": %.1f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50), latency:percentile(99)))
end
