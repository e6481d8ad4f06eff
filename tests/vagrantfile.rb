# Runs the top-level Vagrantfile against objects that only write down what they are told, and prints that: what Vagrant would be handed for
# a provider, without Vagrant and without the provider. ruby tests/vagrantfile.rb PROVIDER
require "json"

class Told
  def initialize(provider, said)
    @provider, @said = provider, said
  end

  def vm = Told.new(@provider, @said["vm"] ||= {})
  def ssh = Told.new(@provider, @said["ssh"] ||= {})

  def define(name, **_)
    machine = (@said["define"] ||= {})[name] = {}
    yield Told.new(@provider, machine)
  end

  def provider(name)
    yield Told.new(@provider, @said["provider"] ||= {}) if name.to_s == @provider
  end

  def method_missing(name, *words, **options)
    key = name.to_s.delete_suffix("=")
    if name.to_s.end_with?("=")
      @said[key] = words.first
    else
      (@said[key] ||= []) << [*words, *(options.empty? ? [] : [options])]
    end
  end

  def respond_to_missing?(*) = true
end

module Vagrant
  def self.configure(_version)
    told = {}
    yield Told.new(ARGV.first, told)
    puts JSON.generate(told)
  end
end

load File.join(__dir__, "..", "Vagrantfile")
