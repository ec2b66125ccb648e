"""The swarm: how peers find each other, and how each comes to hold the records of all."""
