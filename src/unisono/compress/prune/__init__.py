"""What a model can do without: weights, nodes, trees and leaves."""
