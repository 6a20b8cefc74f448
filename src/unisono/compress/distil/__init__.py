"""Distillation: a teacher of any kind, a student of any kind; labels and the teacher's answers are learnt together."""
