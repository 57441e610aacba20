// Serving: endpoints that answer: the gateway process with its Python workers, and the control plane's hand on it.
