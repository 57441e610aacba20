// SlipwayCore: values, ids, states and pure rules that every other room speaks in; it touches no disk and no network.
