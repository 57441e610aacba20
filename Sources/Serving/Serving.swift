// Serving: endpoints: routing, the gateway process, model workers and captured requests.
