"""What the server says of itself: metrics, traces, an access log, the prediction log, one request's timeline."""
