//  JitterBuffer.swift: skeleton
