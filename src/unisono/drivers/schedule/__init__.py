"""When a prediction is made: schedules, triggers, and what becomes of every instant."""
