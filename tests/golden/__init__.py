"""Golden numbers and the recipe of their inputs."""
