// Tracking: experiments, runs, metrics, parameters, tags, inputs and artifacts of one realm.
