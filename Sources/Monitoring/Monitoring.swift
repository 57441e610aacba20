// Monitoring: labels, drift and quality of what is live, and the triggers that follow.
