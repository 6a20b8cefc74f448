"""Networks of whole numbers as graphs: the proof that their numbers fit, and the operators that compute them."""
