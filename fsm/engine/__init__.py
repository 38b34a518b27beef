"""What all flows share: orders, steps, tasks, and how an event becomes a step."""
